import { createHash } from 'node:crypto';
import type { PlaceOrder } from '@faultline/contracts';
import type { Prices } from '../catalogue/catalogue.js';
import { totalOf, type Order, type OrderLine } from './order.js';

/** A request to place an order that passed every check and has its prices. */
export interface Placement {
  readonly key: string;
  readonly bodyHash: string;
  readonly orderId: string;
  readonly body: PlaceOrder;
  readonly prices: Prices;
  readonly traceparent: string;
}

/** Two bodies are the same when they parse to the same order: spelling, member order and defaults do not count. */
export function hashOf(body: PlaceOrder): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('base64url');
}

/** The order as it is accepted at `now`, to be decided within `deadline` milliseconds. */
export function orderFrom(placement: Placement, now: number, deadline: number): Order {
  const { body, prices } = placement;
  const lines = body.lines.map(({ sku, quantity }): OrderLine => {
    const unitPrice = prices.bySku.get(sku);
    if (unitPrice === undefined) throw new Error(`no price for ${sku}`);
    return { sku, quantity, unitPrice };
  });
  return {
    orderId: placement.orderId,
    customerId: body.customerId,
    protocol: body.protocol,
    payment: body.payment,
    lines,
    total: totalOf(lines),
    currency: 'EUR',
    priceSource: prices.source,
    createdAt: now,
    deadline: now + deadline,
    traceparent: placement.traceparent,
    status: 'PENDING',
  };
}
