import { orderApproved, orderRejected, RejectionReason } from '@faultline/contracts';
import type { OutgoingMessage } from '@faultline/outbox';
import type { SagaCommand, SagaEvent } from '@faultline/saga';
import type { Order, Rejection } from '../../orders/order.js';
import type { NewId } from '../protocol.js';

/** The commands of a decision as messages, caused by the message that was decided. */
export function commandMessages(
  order: Order,
  commands: readonly SagaCommand[],
  causationId: string,
  traceparent: string,
  newId: NewId,
): OutgoingMessage[] {
  return commands.map((command) => ({
    kind: command.kind,
    body: { orderId: order.orderId, attempt: command.attempt, ...command.body },
    orderId: order.orderId,
    id: newId(),
    correlationId: order.orderId,
    causationId,
    deadline: command.deadline,
    traceparent,
  }));
}

/** What the world is told of a decision, on `order.events`. */
export function eventMessages(
  order: Order,
  events: readonly SagaEvent[],
  causationId: string,
  traceparent: string,
  newId: NewId,
): OutgoingMessage[] {
  const { orderId, customerId, total, currency } = order;
  return events.flatMap((event): OutgoingMessage[] => {
    const head = { orderId, id: newId(), correlationId: orderId, causationId, deadline: null, traceparent };
    if (event.type === 'approved') {
      return [{ ...head, kind: orderApproved, body: { orderId, customerId, total, currency } }];
    }
    if (event.type === 'rejected') {
      return [{ ...head, kind: orderRejected, body: { orderId, customerId, ...rejectionOf(event) } }];
    }
    return [];
  });
}

/** A participant's refusal in the customer's words: a command that came too late reads TIMED_OUT. */
export function rejectionOf(event: { readonly reason: string; readonly detail: string }): Rejection {
  const reason = event.reason === 'EXPIRED' ? 'TIMED_OUT' : RejectionReason.parse(event.reason);
  return { reason, detail: event.detail };
}
