/** One side of a posting. Amounts are cents; positive is what the account gains. */
export interface LedgerEntry {
  readonly postingId: string;
  readonly account: string;
  readonly kind: 'DEPOSIT' | 'CAPTURE' | 'REFUND';
  readonly amount: number;
  readonly orderId: string | null;
}

/** Where a wallet's money comes from and goes to. */
export const bank = 'bank';
export const sales = 'sales';
export const accountOf = (customerId: string): string => `wallet:${customerId}`;

/** Money moved between two accounts, before it has an id. */
export interface Movement {
  readonly kind: LedgerEntry['kind'];
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly orderId: string | null;
}

export const depositOf = (customerId: string, amount: number): Movement => ({
  kind: 'DEPOSIT',
  from: bank,
  to: accountOf(customerId),
  amount,
  orderId: null,
});
export const captureOf = (customerId: string, amount: number, orderId: string): Movement => ({
  kind: 'CAPTURE',
  from: accountOf(customerId),
  to: sales,
  amount,
  orderId,
});
export const refundOf = (customerId: string, amount: number, orderId: string): Movement => ({
  kind: 'REFUND',
  from: sales,
  to: accountOf(customerId),
  amount,
  orderId,
});

/** Double entry (Pacioli, 1494): what one account gains another loses, so the ledger always sums to zero. */
export function post(movement: Movement, postingId: string): readonly [LedgerEntry, LedgerEntry] {
  const { kind, from, to, amount, orderId } = movement;
  if (!Number.isSafeInteger(amount) || amount < 0)
    throw new Error(`${amount} cannot be posted: not a number of cents`);
  if (from === to) throw new Error(`${from} cannot pay itself`);
  return [
    { postingId, account: from, kind, amount: 0 - amount, orderId },
    { postingId, account: to, kind, amount, orderId },
  ];
}

export function sumOf(entries: readonly LedgerEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.amount, 0);
}

/** Throws unless the entries sum to zero: the last look before they are saved. */
export function balanced(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const sum = sumOf(entries);
  if (sum !== 0) throw new Error(`postings must sum to zero, these sum to ${sum}`);
  return entries;
}
