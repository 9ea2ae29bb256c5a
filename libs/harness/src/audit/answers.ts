import type { Books } from './books.js';
import type { Told } from './told.js';
import { type Check, Rows } from './verdict.js';

/** A: 2xx is durable, a refusal had no effect, every key has its definite answer, and no answer contradicts another. */
export function answers({ orders, listed }: Books, told: Told): Check {
  const rows = new Rows();
  const ids = new Set(told.accepted.map(({ order }) => order.orderId));
  rows.expect(ids.size === told.accepted.length, `${told.accepted.length} keys for ${ids.size} orders`);
  for (const { orderId } of listed) rows.expect(ids.has(orderId), `nobody was told of order ${orderId}`);
  const there = new Set(listed.map(({ orderId }) => orderId));
  for (const orderId of ids)
    rows.expect(there.has(orderId), `order ${orderId} was answered 2xx and is not there`);
  const count = orders.orders.reduce((sum, group) => sum + group.count, 0);
  rows.expect(count === ids.size, `the audit counts ${count} orders, the client ${ids.size}`);
  for (const contradiction of told.contradictions) rows.add(contradiction);
  for (const { key, outcome, answers: given } of told.placements.values())
    rows.expect(outcome !== undefined, `key ${key} has no definite answer: ${given.slice(-5).join(', ')}`);
  return { invariant: 'A', looked: { keys: told.placements.size }, rows: rows.found };
}
