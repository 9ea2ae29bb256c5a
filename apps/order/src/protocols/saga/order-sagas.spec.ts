import { SagaDefinitions, start, type SagaMessage, type SagaState } from '@faultline/saga';
import { describe, expect, it } from '@jest/globals';
import { anOrder } from '../../orders/an-order.spec-data.js';
import type { Order } from '../../orders/order.js';
import type { OrderRow } from '../../orders/order.store.js';
import { OrderSagas } from './order-sagas.js';
import { placeOrderSaga } from './place-order.saga.js';

const { orderId } = anOrder();
const row: OrderRow = {
  ...anOrder(),
  id: orderId,
  status: 'PENDING',
  settlement: 'NONE',
  rejectionReason: null,
  rejectionDetail: null,
  decidedAt: null,
  settledAt: null,
};
const cause = { what: 'test', messageId: 'm', causationId: null, attempt: 1, traceparent: null };

function sagasAt(now: number, state: SagaState = start(placeOrderSaga, anOrder(), 0).state): OrderSagas {
  const saga = { id: orderId, definition: 'place-order', definitionVersion: 1, version: 1, state };
  return new OrderSagas(
    new SagaDefinitions<Order>([placeOrderSaga]),
    { now, sagas: [saga], orders: [row] },
    () => 'id',
  );
}

/** Due times that a step would write, and the keys it would finish. */
function dueWork(
  sagas: OrderSagas,
  ticked: readonly string[] = [],
): { scheduled: unknown; finished: unknown } {
  const parts = new Map(sagas.parts(ticked).map((part) => [part.name, part.values]));
  return { scheduled: parts.get('due-schedule')?.[2], finished: parts.get('due-finish')?.[1] };
}

const done = (command: string): SagaMessage => ({ type: 'done', command, attempt: 1 });
const outOfStock: SagaMessage = {
  type: 'refused',
  command: 'reserve-stock',
  attempt: 1,
  reason: 'OUT_OF_STOCK',
  detail: '',
};

describe("a saga's due work", () => {
  it('is not touched by an answer, for a row that is early only makes one more look', () => {
    const sagas = sagasAt(50);
    sagas.handle(orderId, done('reserve-stock'), cause);
    sagas.handle(orderId, done('authorize-payment'), cause);
    expect(dueWork(sagas)).toEqual({ scheduled: [], finished: [] });
  });

  it('is moved when the saga is due earlier than before: its row would come too late', () => {
    // Silent for long, both commands wait up to a minute for their next repeat.
    const { steps, ...rest } = start(placeOrderSaga, anOrder(), 0).state;
    const patient = { status: 'SENT', attempt: 4, since: 0, retryAt: 110_000 } as const;
    const silent = { ...rest, steps: { ...steps, 'reserve stock': patient, 'authorize payment': patient } };
    const sagas = sagasAt(60_000, silent);
    sagas.handle(orderId, outOfStock, cause);
    expect(dueWork(sagas)).toEqual({ scheduled: [70_000], finished: [] });
  });

  it('is scheduled anew by the tick that claimed it, also when there was nothing to do', () => {
    const sagas = sagasAt(5_000);
    sagas.handle(orderId, { type: 'tick' }, cause);
    expect(dueWork(sagas, [orderId])).toEqual({ scheduled: [10_000], finished: [] });
  });

  it('is finished with the saga', () => {
    const sagas = sagasAt(50);
    sagas.handle(orderId, outOfStock, cause);
    sagas.handle(orderId, done('void-payment'), cause);
    expect(dueWork(sagas)).toEqual({ scheduled: [], finished: [orderId] });
  });

  it('comes back when a suspended saga goes on', () => {
    const sent = { status: 'DONE', attempt: 1, at: 1 } as const;
    const stuck = {
      status: 'STUCK',
      direction: 'FORWARD',
      attempt: 1,
      since: 2,
      reason: 'x',
      detail: '',
    } as const;
    const state: SagaState = {
      ...start(placeOrderSaga, anOrder(), 0).state,
      phase: 'COMPLETING',
      decision: { approved: true, at: 1 },
      steps: {
        'reserve stock': sent,
        'authorize payment': sent,
        'confirm stock': sent,
        'capture payment': stuck,
      },
    };
    const approved = { ...row, status: 'APPROVED', settlement: 'SUSPENDED', decidedAt: 1 } as const;
    const saga = { id: orderId, definition: 'place-order', definitionVersion: 1, version: 1, state };
    const sagas = new OrderSagas(
      new SagaDefinitions<Order>([placeOrderSaga]),
      { now: 1_000, sagas: [saga], orders: [approved] },
      () => 'id',
    );
    sagas.handle(orderId, { type: 'resume' }, cause);
    // Attempt 2 waits 20 s.
    expect(dueWork(sagas)).toEqual({ scheduled: [21_000], finished: [] });
  });
});
