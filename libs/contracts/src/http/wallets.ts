import { z } from 'zod';
import { Cents, Currency, CustomerId } from '../money.js';

export const WalletView = z.object({
  customerId: CustomerId,
  balance: z.int(),
  held: z.int(),
  available: z.int(),
  deposited: z.int(),
  captured: z.int(),
  refunded: z.int(),
  currency: Currency,
});
export type WalletView = z.infer<typeof WalletView>;

export const Deposit = z.strictObject({ amount: Cents.min(1).max(1_000_000_000_000) });
export type Deposit = z.infer<typeof Deposit>;

export const LedgerEntryView = z.object({
  id: z.string(),
  postingId: z.string(),
  account: z.string(),
  kind: z.enum(['DEPOSIT', 'CAPTURE', 'REFUND']),
  amount: z.int(),
  orderId: z.uuid().nullable(),
  at: z.iso.datetime(),
});
export type LedgerEntryView = z.infer<typeof LedgerEntryView>;

export const PaymentAudit = z.object({
  wallets: z.array(WalletView),
  ledgerSum: z.int(),
  cards: z.object({ held: z.int(), captured: z.int(), refunded: z.int() }),
});
export type PaymentAudit = z.infer<typeof PaymentAudit>;
