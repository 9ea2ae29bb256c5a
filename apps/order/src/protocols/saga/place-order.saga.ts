import {
  authorizePayment,
  capturePayment,
  confirmStock,
  releaseStock,
  reserveStock,
  voidPayment,
} from '@faultline/contracts';
import { saga, step } from '@faultline/saga';
import type { Order } from '../../orders/order.js';

/**
 * The story of one order, carried by an orchestrated saga. It reads in the order in which it happens.
 *
 * Until the pivot the order is PENDING and everything can be undone; stock that is reserved and money that is held are
 * semantic locks: others see that they are taken. Both commands go out side by side.
 *
 * - Both are done: the pivot. The order becomes APPROVED, and from here there is only forward.
 * - One is refused for a reason listed here (EXPIRED reads TIMED_OUT to the customer): the order becomes REJECTED at
 *   once, with the first refusal that arrived. Whatever else was done, or might have been done because its answer is
 *   still out, is undone by its compensation. The refused step had no effect and is left alone.
 * - One never answers: its command is repeated (after 10 s, then at most a minute apart) until the deadline, a durable
 *   row and no timer. Then the order becomes REJECTED as TIMED_OUT and both steps are compensated. A compensation that
 *   overtakes its command leaves a tombstone, which refuses the late one.
 * - An answer that comes after that decision changes nothing any more: it is noted in the journal as LATE, and what it
 *   speaks of is undone by the compensation that is on its way. A second answer to the same command is REPEATED.
 * - One answers what it must not, or its command is dead-lettered: the saga is SUSPENDED and waits for an operator or for
 *   a redrive. That never stops the deadline. A compensation that is refused suspends, too.
 *
 * Whatever follows the decision, Confirm and Capture as well as Release and Void, has no deadline: silence is answered by
 * repeating, for ever; a refusal suspends the settlement, and the order keeps its decision.
 *
 * A crash at any line of this leaves what the last commit left: saga, order, due work, inbox and the next messages are
 * saved in one transaction (saga-step.ts), and the message that was being handled is delivered again.
 */
export const placeOrderSaga = saga<Order>({ name: 'place-order', version: 1, deadlineSeconds: 120 })
  .compensatable(
    step('reserve stock', reserveStock, (order: Order) => ({
      lines: order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
    }))
      .refusedFor('OUT_OF_STOCK', 'EXPIRED')
      .compensatedBy(releaseStock),

    step('authorize payment', authorizePayment, (order: Order) => ({
      customerId: order.customerId,
      amount: order.total,
      currency: order.currency,
      payment: order.payment,
    }))
      .refusedFor('INSUFFICIENT_FUNDS', 'UNKNOWN_CUSTOMER', 'CARD_DECLINED', 'EXPIRED')
      .compensatedBy(voidPayment),
  )
  .pivot('approve order')
  .retriable(
    step<Order, { orderId: string; attempt: number }>('confirm stock', confirmStock),
    step<Order, { orderId: string; attempt: number }>('capture payment', capturePayment),
  )
  .end();
