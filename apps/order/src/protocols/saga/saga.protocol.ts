import { insertSagas, nextDue, start } from '@faultline/saga';
import type { OutgoingMessage } from '@faultline/outbox';
import type { NewId, OrderProtocol } from '../protocol.js';
import { placeOrderSaga } from './place-order.saga.js';
import { commandMessages } from './saga-messages.js';

/** The kind of due work under which a saga's deadline and repeats are kept. */
export const sagaDueWork = 'saga';

export function sagaProtocol(newId: NewId): OrderProtocol {
  return {
    name: 'saga',
    deadline: placeOrderSaga.deadline,
    refuses: () => null,
    begin(orders, now) {
      const messages: OutgoingMessage[] = [];
      const due: { kind: string; key: string; dueAt: number }[] = [];
      const rows = orders.map((order) => {
        const begun = start(placeOrderSaga, order, now);
        messages.push(...commandMessages(order, begun.commands, order.orderId, order.traceparent, newId));
        due.push({ kind: sagaDueWork, key: order.orderId, dueAt: nextDue(begun.state) ?? order.deadline });
        return {
          id: order.orderId,
          definition: placeOrderSaga.name,
          definitionVersion: placeOrderSaga.version,
          state: begun.state,
        };
      });
      return { parts: [insertSagas(rows, now)], messages, due };
    },
  };
}
