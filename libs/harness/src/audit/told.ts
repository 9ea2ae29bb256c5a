import type { OrderView } from '@faultline/contracts';
import type { Client } from '../client.js';
import type { Books } from './books.js';

/** What the client was told: the other side of every comparison. */
export type Told = Pick<Client, 'accepted' | 'placements' | 'deposited' | 'delivered' | 'contradictions'>;

/** What the demo data put there before anybody ordered. */
const demoStock: Readonly<Record<string, number>> = {
  'tea-green': 10_000,
  'tea-black': 10_000,
  'coffee-beans': 10_000,
  mug: 10_000,
  teapot: 10_000,
  'tea-rare': 5,
};
const hasDemoWallet = /^customer-([1-9]\d?|100)$/;

/** Cents that this wallet must have been given. */
export function depositedFor(told: Told, customerId: string): number {
  return (hasDemoWallet.test(customerId) ? 1_000_000 : 0) + (told.deposited.get(customerId) ?? 0);
}

/** Pieces that this shelf must have been given. */
export function deliveredFor(told: Told, sku: string): number {
  return (demoStock[sku] ?? 0) + (told.delivered.get(sku) ?? 0);
}

/** Sums over the orders that the client saw approved. */
export function approvedSums(
  told: Told,
  of: (order: OrderView) => readonly (readonly [string, number])[],
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { order } of told.accepted) {
    if (order.status !== 'APPROVED') continue;
    for (const [key, amount] of of(order)) sums.set(key, (sums.get(key) ?? 0) + amount);
  }
  return sums;
}

/** Of a system whose clients are not known: what they were told is taken to be what the services say that they were. */
export function toldBy({ listed, money, stock }: Pick<Books, 'listed' | 'money' | 'stock'>): Told {
  const nobody: Told = {
    accepted: [],
    placements: new Map(),
    deposited: new Map(),
    delivered: new Map(),
    contradictions: [],
  };
  const accepted = listed.map((order) => ({
    key: order.orderId,
    body: { customerId: order.customerId, lines: order.lines },
    answers: [],
    outcome: { accepted: order.orderId },
    order,
  }));
  return {
    ...nobody,
    accepted,
    placements: new Map(accepted.map((placement) => [placement.key, placement])),
    deposited: new Map(
      money.wallets.map(({ customerId, deposited }) => [
        customerId,
        deposited - depositedFor(nobody, customerId),
      ]),
    ),
    delivered: new Map(stock.skus.map(({ sku, delivered }) => [sku, delivered - deliveredFor(nobody, sku)])),
  };
}
