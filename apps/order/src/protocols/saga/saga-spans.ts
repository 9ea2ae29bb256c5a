import type { Decided, SagaEvent } from '@faultline/saga';
import { currentTraceparent, describeSpan, noteInSpan, type startSpan } from '@faultline/telemetry';
import type { Order } from '../../orders/order.js';

const names: Readonly<Record<SagaEvent['type'], string>> = {
  approved: 'order approved',
  rejected: 'order rejected',
  completed: 'order settled',
  compensated: 'order undone',
  suspended: 'saga suspended',
  resumed: 'saga resumed',
};

/** Notes in the active span what was decided. A rejection is a decision, and no error. */
export function noteDecided({ events, outcome }: Decided): void {
  describeSpan({ 'faultline.saga.outcome': outcome });
  for (const event of events) {
    noteInSpan(names[event.type], 'reason' in event ? { 'faultline.reason': event.reason } : {});
  }
}

/**
 * For what no message brought, a deadline or an operator: a span of its own in the order's trace, opened once it is
 * known that something was decided. Answers what the resulting messages carry on.
 */
export function decisionSpan(open: typeof startSpan, name: string) {
  const cause = currentTraceparent();
  return (order: Order, decided: Decided): string | null => {
    if (decided.outcome === 'EARLY') return null;
    const { within } = open(name, {
      parent: order.traceparent,
      links: cause === null ? [] : [cause],
      attributes: { 'faultline.order_id': order.orderId },
    });
    return within(() => {
      noteDecided(decided);
      return currentTraceparent();
    });
  };
}
