import type { Order } from './order.js';

/** An order for tests: pending, two green teas by wallet. */
export function anOrder(change: Partial<Order> = {}): Order {
  const order: Order = {
    orderId: '01900000-0000-7000-8000-000000000001',
    customerId: 'customer-1',
    protocol: 'saga',
    payment: { method: 'wallet' },
    lines: [{ sku: 'tea-green', quantity: 2, unitPrice: 450 }],
    total: 900,
    currency: 'EUR',
    priceSource: 'live',
    createdAt: 1_000,
    deadline: 121_000,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    status: 'PENDING',
  };
  return Object.assign(order, change);
}
