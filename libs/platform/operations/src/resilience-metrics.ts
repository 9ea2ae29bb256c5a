import type { BreakerState, Resilience, ResilienceEvent } from '@faultline/resilience';
import { describeSpan, type Log, meter, noteInSpan } from '@faultline/telemetry';

const states: readonly BreakerState[] = ['CLOSED', 'OPEN', 'HALF_OPEN', 'ISOLATED'];

/** Counts, logs and notes in the active span what the policies do. None of it is known to them. */
export function watchResilience(resilience: Resilience, log: Log): void {
  const metrics = meter('faultline.resilience');
  const executions = metrics.createCounter('faultline.circuit_breaker.execution.count', {
    description: 'attempts at a dependency by their result, and calls that were refused by the reason',
  });
  const changes = metrics.createCounter('faultline.circuit_breaker.state_change.count', {
    description: 'transitions of breakers',
  });
  const attempts = metrics.createCounter('faultline.retry_policy.attempts', {
    description: 'attempts beyond the first one',
  });
  const duration = metrics.createHistogram('faultline.dependency.attempt.duration', {
    unit: 's',
    description: 'how long one attempt at a dependency took',
  });
  const fallbacks = metrics.createCounter('faultline.fallback.count', {
    description: 'answers that did not come from the dependency, by label',
  });
  metrics
    .createObservableGauge('faultline.circuit_breaker.state', {
      description: '1 for the state in which a breaker is',
    })
    .addCallback((gauge) => {
      for (const { name, state } of resilience.view().breakers)
        for (const each of states) gauge.observe(each === state ? 1 : 0, { name, state: each });
    });
  metrics
    .createObservableGauge('faultline.bulkhead.active', { description: 'calls that hold a slot' })
    .addCallback((gauge) => {
      for (const { name, active } of resilience.view().bulkheads) gauge.observe(active, { name });
    });
  metrics
    .createObservableGauge('faultline.retry_budget.tokens', { description: 'retries that are allowed now' })
    .addCallback((gauge) => {
      for (const { name, tokens } of resilience.view().retryBudgets) gauge.observe(tokens, { name });
    });

  resilience.on((event: ResilienceEvent) => {
    const { name } = event;
    switch (event.type) {
      case 'attempt':
        executions.add(1, { name, result: event.result });
        duration.record(event.milliseconds / 1000, { name, result: event.result });
        describeSpan({ 'faultline.attempt': event.number, 'faultline.attempt.result': event.result });
        return;
      case 'refused':
        executions.add(1, { name, result: 'refused', reason: event.reason });
        noteInSpan('refused', { 'faultline.dependency': name, 'faultline.reason': event.reason });
        return;
      case 'retry':
        attempts.add(1, { name });
        noteInSpan('retry', { 'faultline.dependency': name, 'faultline.attempt': event.number });
        return;
      case 'fallback':
        fallbacks.add(1, { name, label: event.label });
        noteInSpan('fallback', { 'faultline.dependency': name, 'faultline.fallback': event.label });
        return;
      case 'breaker-transition': {
        const { from, to, cause } = event;
        changes.add(1, { name, from, to });
        noteInSpan('breaker', { 'faultline.dependency': name, 'faultline.breaker.state': to, cause });
        log.warn({ breaker: name, from, to, cause }, 'breaker changed');
      }
    }
  });
}
