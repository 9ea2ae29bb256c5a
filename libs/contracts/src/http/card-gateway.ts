import { z } from 'zod';
import { Cents, Currency } from '../money.js';

/**
 * What the card gateway and its customers say to each other. The gateway is a party that we do not own: this is its
 * contract, not ours. `reference` is whatever the customer calls the payment; here it is the order's id.
 */
export const AuthorizeCard = z.strictObject({
  reference: z.uuid().toLowerCase(),
  /** Zero asks whether the card is good: what costs nothing can be ordered, too. */
  amount: Cents,
  currency: Currency,
  cardToken: z.string().min(1).max(100),
});
export type AuthorizeCard = z.infer<typeof AuthorizeCard>;

export const CardAuthorization = z.object({
  reference: z.uuid(),
  status: z.enum(['AUTHORIZED', 'DECLINED', 'CAPTURED', 'VOIDED', 'REFUNDED']),
  amount: Cents,
  currency: Currency,
  declineReason: z.string().nullable(),
  createdAt: z.iso.datetime(),
});
export type CardAuthorization = z.infer<typeof CardAuthorization>;

/** Sums in cents. What was refunded was captured before, and counts as both. */
export const CardBook = z.object({
  authorizations: z.int(),
  held: z.int(),
  captured: z.int(),
  refunded: z.int(),
});
export type CardBook = z.infer<typeof CardBook>;

export const CardBookEntries = z.object({
  items: z.array(CardAuthorization),
  nextCursor: z.string().nullable(),
});
export type CardBookEntries = z.infer<typeof CardBookEntries>;
