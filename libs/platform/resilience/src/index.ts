export { attemptTimeout } from './attempt-timeout.js';
export { breaker, type BreakerSettings, type BreakerView, type Ended, type Outcome } from './breaker.js';
export { bulkhead, type BulkheadView } from './bulkhead.js';
export { type Clock, systemClock } from './clock.js';
export { deadline } from './deadline.js';
export type { BreakerState, BreakerTransition, FallbackLabel, ResilienceEvent } from './events.js';
export { fallback, type FellBack } from './fallback.js';
export {
  LoadShedding,
  type LoadSheddingSettings,
  type LoadSheddingView,
  type Shed,
} from './load-shedding.js';
export type { Attempt, CallOptions, InOrder, Pipeline } from './pipeline.js';
export { AttemptTimedOut, PipelineRefused, type RefusalReason } from './refused.js';
export { type Listener, Resilience, type ResilienceView } from './resilience.js';
export { retriedByTheCaller, retry, type RetrySettings } from './retry.js';
export { RetryBudget, type RetryBudgetSettings, type RetryBudgetView } from './retry-budget.js';
