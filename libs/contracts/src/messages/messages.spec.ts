import { describe, expect, it } from '@jest/globals';
import { PlaceOrder } from '../http/orders.js';
import { reserveStock } from './inventory.js';
import { commandRefused } from './replies.js';

describe('messages', () => {
  const orderId = '01900000-0000-7000-8000-000000000001';

  it('let a later version add members, for readers are tolerant', () => {
    const body = { orderId, attempt: 1, lines: [{ sku: 'mug', quantity: 1, gift: true }], colour: 'red' };
    expect(reserveStock.body.parse(body)).toEqual({
      orderId,
      attempt: 1,
      lines: [{ sku: 'mug', quantity: 1 }],
    });
  });

  it('refuse what no sender may send', () => {
    expect(reserveStock.body.safeParse({ orderId, attempt: 0, lines: [] }).success).toBe(false);
    expect(
      commandRefused.body.safeParse({
        orderId,
        command: 'reserve-stock',
        attempt: 1,
        reason: 'MOOD',
        detail: '',
      }).success,
    ).toBe(false);
  });
});

describe('the body of POST /orders', () => {
  const order = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };

  it('has defaults for payment and protocol', () => {
    expect(PlaceOrder.parse(order)).toEqual({ ...order, payment: { method: 'wallet' }, protocol: 'saga' });
  });

  it('refuses unknown members, a SKU twice, no line, more than fifty, and quantities beyond 1 to 1000', () => {
    const line = { sku: 'mug', quantity: 1 };
    for (const bad of [
      { ...order, discount: 5 },
      { ...order, lines: [line, line] },
      { ...order, lines: [] },
      { ...order, lines: Array.from({ length: 51 }, (_, index) => ({ sku: `sku-${index}`, quantity: 1 })) },
      { ...order, lines: [{ sku: 'mug', quantity: 0 }] },
      { ...order, lines: [{ sku: 'mug', quantity: 1001 }] },
      { ...order, lines: [{ sku: 'mug', quantity: 1.5 }] },
    ]) {
      expect(PlaceOrder.safeParse(bad).success).toBe(false);
    }
  });
});
