import type { PaymentAudit } from '@faultline/contracts';
import type { Authorization, LedgerRow } from './tables.js';
import { depositedFor, type Told } from './told.js';
import { type Check, Rows } from './verdict.js';

/** M: per wallet, deposited = balance + captured - refunded; the ledger sums to 0; available is never negative. */
export function money(audit: PaymentAudit, told: Told): Check {
  const rows = new Rows();
  rows.expect(audit.ledgerSum === 0, `the ledger sums to ${audit.ledgerSum}`);
  for (const wallet of audit.wallets) {
    const row = JSON.stringify(wallet);
    rows.expect(wallet.deposited === wallet.balance + wallet.captured - wallet.refunded, row);
    rows.expect(wallet.available === wallet.balance - wallet.held && wallet.available >= 0, row);
    const deposited = depositedFor(told, wallet.customerId);
    rows.expect(wallet.deposited === deposited, `the client knows of deposits of ${deposited}: ${row}`);
  }
  for (const customerId of told.deposited.keys()) {
    const known = audit.wallets.some((wallet) => wallet.customerId === customerId);
    rows.expect(known, `the client deposited for ${customerId}, who has no wallet`);
  }
  return { invariant: 'M', looked: { wallets: audit.wallets.length }, rows: rows.found };
}

/** M, entry by entry: each posting balances, and each wallet's columns are what its entries and holds add up to. */
export function ledger(
  audit: PaymentAudit,
  entries: readonly LedgerRow[],
  authorizations: readonly Authorization[],
): Check {
  const rows = new Rows();
  for (const [postingId, sides] of Map.groupBy(entries, (entry) => entry.postingId)) {
    const sum = total(sides.map(({ amount }) => amount));
    rows.expect(sum === 0, `posting ${postingId} sums to ${sum}: ${JSON.stringify(sides)}`);
  }
  const byAccount = Map.groupBy(entries, (entry) => entry.account);
  const holds = Map.groupBy(
    authorizations.filter(({ status }) => status === 'HELD'),
    ({ customerId }) => customerId,
  );
  for (const wallet of audit.wallets) {
    const own = byAccount.get(`wallet:${wallet.customerId}`) ?? [];
    const of = (kind: string): number =>
      total(own.filter((entry) => entry.kind === kind).map(({ amount }) => amount));
    const found = {
      balance: total(own.map(({ amount }) => amount)),
      deposited: of('DEPOSIT'),
      captured: 0 - of('CAPTURE'),
      refunded: of('REFUND'),
      held: total((holds.get(wallet.customerId) ?? []).map(({ amount }) => amount ?? 0)),
    };
    for (const [column, value] of Object.entries(found)) {
      const kept = wallet[column as keyof typeof found];
      rows.expect(
        kept === value,
        `${wallet.customerId}: ${column} is ${kept}, entries and holds add up to ${value}`,
      );
    }
  }
  return { invariant: 'M', looked: { 'ledger entries': entries.length }, rows: rows.found };
}

function total(amounts: readonly number[]): number {
  return amounts.reduce((sum, amount) => sum + amount, 0);
}
