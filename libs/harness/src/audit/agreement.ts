import type { Books } from './books.js';
import type { Tables } from './tables.js';
import { approvedSums, type Told } from './told.js';
import { type Check, Rows } from './verdict.js';

/**
 * P: approved orders are paid and sold, others are neither, nothing is held or reserved. Compares the sums of the three
 * services with each other and with what the client saw approved.
 */
export function agreement({ orders, stock, money }: Omit<Books, 'gateway'>, told: Told): Check {
  const rows = new Rows();
  for (const group of orders.orders) {
    const row = `${group.count} orders ${group.status}/${group.settlement} by ${group.protocol}`;
    rows.expect(group.settlement !== 'SETTLED' || group.status === 'APPROVED', row);
    rows.expect(group.settlement !== 'UNDONE' || group.status !== 'APPROVED', row);
  }

  const charged = approvedSums(told, ({ customerId, total, payment }) =>
    payment.method === 'wallet' ? [[customerId, total]] : [],
  );
  for (const wallet of money.wallets) {
    const row = JSON.stringify(wallet);
    rows.expect(wallet.held === 0, `held with nothing under way: ${row}`);
    const expected = charged.get(wallet.customerId) ?? 0;
    rows.expect(
      wallet.captured - wallet.refunded === expected,
      `the client's approved orders are worth ${expected}: ${row}`,
    );
  }
  const wallets = new Set(money.wallets.map(({ customerId }) => customerId));
  for (const customerId of charged.keys())
    rows.expect(wallets.has(customerId), `approved orders of ${customerId}, who has no wallet`);
  const paid = money.wallets.reduce((sum, wallet) => sum + wallet.captured - wallet.refunded, 0);
  const worth = orders.netAmount;
  rows.expect(paid === worth.wallet, `wallets paid ${paid}, orders are worth ${worth.wallet}`);
  const { held, captured, refunded } = money.cards;
  rows.expect(held === 0, `held of cards with nothing under way: ${held}`);
  const byCard = captured - refunded;
  rows.expect(byCard === worth.card, `cards paid ${byCard}, orders by card are worth ${worth.card}`);
  const known =
    approvedSums(told, ({ total, payment }) => (payment.method === 'card' ? [['card', total]] : [])).get(
      'card',
    ) ?? 0;
  rows.expect(
    byCard === known,
    `cards paid ${byCard}, the client's approved orders by card are worth ${known}`,
  );

  const sold = approvedSums(told, ({ lines }) => lines.map(({ sku, quantity }) => [sku, quantity]));
  for (const item of stock.skus) {
    const row = JSON.stringify(item);
    rows.expect(item.reserved === 0, `reserved with nothing under way: ${row}`);
    const ordered = orders.netQuantities[item.sku] ?? 0;
    rows.expect(item.sold === ordered, `orders stand for ${ordered}: ${row}`);
    const wanted = sold.get(item.sku) ?? 0;
    rows.expect(item.sold === wanted, `the client's approved orders hold ${wanted}: ${row}`);
  }
  const count = orders.orders.reduce((sum, group) => sum + group.count, 0);
  return { invariant: 'P', looked: { 'orders summed up': count }, rows: rows.found };
}

const money: Readonly<Record<string, ReadonlySet<string | undefined>>> = {
  APPROVED: new Set(['CAPTURED']),
  REJECTED: new Set(['VOIDED', 'REFUSED', undefined]),
  CANCELLED: new Set(['REFUNDED']),
};
const stock: Readonly<Record<string, ReadonlySet<string | undefined>>> = {
  APPROVED: new Set(['CONFIRMED']),
  REJECTED: new Set(['RELEASED', 'REFUSED', undefined]),
  CANCELLED: new Set(['RETURNED']),
};

/** P, order by order: what payment and inventory keep for an order is what its status stands for. */
export function perOrder(
  { listed }: Pick<Books, 'listed'>,
  { reservations, authorizations: wallets, cards }: Pick<Tables, 'reservations' | 'authorizations' | 'cards'>,
): Check {
  const rows = new Rows();
  const authorizations = [...wallets, ...cards];
  const reservationOf = new Map(reservations.map((each) => [each.orderId, each]));
  const authorizationOf = new Map(authorizations.map((each) => [each.orderId, each]));
  for (const { orderId, status, total, lines } of listed) {
    const reservation = reservationOf.get(orderId);
    const authorization = authorizationOf.get(orderId);
    if (status === 'PENDING') continue;
    const kept = `${orderId} is ${status}, its stock ${reservation?.status ?? 'never asked for'}, its payment ${authorization?.status ?? 'never asked for'}`;
    rows.expect(
      money[status]?.has(authorization?.status) === true && stock[status]?.has(reservation?.status) === true,
      kept,
    );
    if (status !== 'APPROVED') continue;
    const amount = authorization?.amount;
    rows.expect(amount === total, `${orderId} is worth ${total}, ${amount ?? 'nothing'} was captured`);
    const ordered = quantities(lines);
    const confirmed = quantities(reservation?.lines ?? []);
    rows.expect(ordered === confirmed, `${orderId} ordered ${ordered}, ${confirmed || 'nothing'} was sold`);
  }
  const known = new Set(listed.map(({ orderId }) => orderId));
  for (const { orderId, status } of reservations)
    rows.expect(known.has(orderId), `stock ${status} for order ${orderId}, which does not exist`);
  for (const { orderId, status } of authorizations)
    rows.expect(known.has(orderId), `payment ${status} for order ${orderId}, which does not exist`);
  return { invariant: 'P', looked: { orders: listed.length }, rows: rows.found };
}

function quantities(lines: readonly { readonly sku: string; readonly quantity: number }[]): string {
  return lines
    .map(({ sku, quantity }) => `${quantity} ${sku}`)
    .sort()
    .join(', ');
}
