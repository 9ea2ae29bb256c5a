import type { Books } from './books.js';
import type { Authorization } from './tables.js';
import { type Check, Rows } from './verdict.js';

/** M: what payment says of cards is what the gateway has in its books, to the cent. */
export function cards({ money, gateway, listed }: Pick<Books, 'money' | 'gateway' | 'listed'>): Check {
  const rows = new Rows();
  for (const sum of ['held', 'captured', 'refunded'] as const) {
    const [ours, theirs] = [money.cards[sum], gateway.sums[sum]];
    rows.expect(ours === theirs, `cards ${sum}: ours ${ours}, the gateway's ${theirs}`);
  }
  const looked = { 'card authorizations': gateway.sums.authorizations };
  return { invariant: 'M', looked: isByCard(listed) ? looked : {}, rows: rows.found };
}

/** What the gateway may have of a card that stands so with us. */
const equal: Readonly<Record<string, readonly (string | undefined)[]>> = {
  HELD: ['AUTHORIZED'],
  CAPTURED: ['CAPTURED'],
  REFUNDED: ['REFUNDED'],
  VOIDED: ['VOIDED', 'DECLINED', undefined],
  REFUSED: ['VOIDED', 'DECLINED', undefined],
};

/** M, card by card: where the sums differ, or differ and make up for it, this names the order. */
export function cardByCard(
  { gateway: { entries }, listed }: Pick<Books, 'gateway' | 'listed'>,
  ours: readonly Authorization[],
): Check {
  const rows = new Rows();
  const theirs = new Map(entries.map((entry) => [entry.reference, entry]));
  for (const { orderId, status, amount } of ours) {
    const entry = theirs.get(orderId);
    const row = `the card of ${orderId} is ${status} with us, ${entry?.status ?? 'unknown'} at the gateway`;
    rows.expect(equal[status]?.includes(entry?.status) === true, row);
    if (entry) rows.expect(entry.amount === amount, `${row}: ${amount} with us, ${entry.amount} there`);
  }
  const known = new Set(ours.map(({ orderId }) => orderId));
  for (const { reference, status } of entries)
    rows.expect(known.has(reference), `the gateway has ${reference} ${status}, which we never asked for`);
  return { invariant: 'M', looked: isByCard(listed) ? { cards: ours.length } : {}, rows: rows.found };
}

/** Where nobody pays by card there is nothing to look at, and that is no fault. */
function isByCard(listed: Books['listed']): boolean {
  return listed.some(({ payment }) => payment.method === 'card');
}
