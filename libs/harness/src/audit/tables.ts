import type { Databases } from '../databases.js';
import { SERVICES, type ServiceName } from '../system.js';

export interface JournalRow {
  readonly orderId: string;
  readonly what: string;
  readonly messageId: string | null;
  readonly outcome: string;
  /** The transaction that wrote it. */
  readonly xid: number;
}
export interface Reservation {
  readonly orderId: string;
  readonly status: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
}
export interface Authorization {
  readonly orderId: string;
  readonly status: string;
  readonly customerId: string | null;
  readonly amount: number | null;
}
export interface LedgerRow {
  readonly postingId: string;
  readonly account: string;
  readonly kind: string;
  readonly amount: number;
  readonly orderId: string | null;
}
export interface DeadLetter {
  readonly id: string;
  readonly consumer: string;
  readonly topic: string;
  readonly messageId: string;
  readonly reason: string;
  readonly status: string;
}
export interface InboxRow {
  readonly consumer: string;
  readonly messageId: string;
  readonly outcome: string;
}

type PerService<T> = Readonly<Record<ServiceName, readonly T[]>>;

/** The services' own tables, row by row: where a sum is wrong, they name the order. */
export interface Tables {
  readonly journal: PerService<JournalRow>;
  readonly inbox: PerService<InboxRow>;
  readonly deadLetters: PerService<DeadLetter>;
  readonly reservations: readonly Reservation[];
  /** Of wallets. */
  readonly authorizations: readonly Authorization[];
  readonly cards: readonly Authorization[];
  readonly ledger: readonly LedgerRow[];
}

export async function readTables({ read }: Databases): Promise<Tables> {
  const everywhere = async <T extends object>(text: string): Promise<PerService<T>> =>
    Object.fromEntries(
      await Promise.all(SERVICES.map(async (service) => [service, await read<T>(service, text)] as const)),
    ) as unknown as PerService<T>;
  return {
    // A journal row is never changed, so that xmin is the transaction that wrote it.
    journal: await everywhere(
      `SELECT order_id AS "orderId", what, message_id AS "messageId", outcome, xmin::text::bigint AS xid
       FROM journal ORDER BY id`,
    ),
    inbox: await everywhere(`SELECT consumer, message_id AS "messageId", outcome FROM inbox`),
    deadLetters: await everywhere(
      `SELECT id, consumer, topic, message_id AS "messageId", reason, status FROM dead_letter`,
    ),
    reservations: await read('inventory', `SELECT order_id AS "orderId", status, lines FROM reservation`),
    authorizations: await read(
      'payment',
      `SELECT order_id AS "orderId", status, customer_id AS "customerId", amount FROM "authorization"`,
    ),
    cards: await read(
      'payment',
      `SELECT order_id AS "orderId", status, customer_id AS "customerId", amount FROM card_payment`,
    ),
    ledger: await read(
      'payment',
      `SELECT posting_id AS "postingId", account, kind, amount, order_id AS "orderId" FROM ledger_entry ORDER BY id`,
    ),
  };
}
