import { databaseClock, type Part, type Transaction } from '@faultline/database';
import type { Card } from '../cards/card.js';
import { cardsOf, cardsPart } from '../cards/card.store.js';
import type { Authorization, Method, RefusedWhy } from './authorization.js';
import { balanced, type LedgerEntry } from './ledger.js';
import { checked, type Wallet } from './wallet.js';

/** What a step holds in its hands: the authorizations of its orders and the wallets of their customers. */
export interface Accounts {
  readonly authorizations: Map<string, Authorization>;
  readonly wallets: Map<string, Wallet>;
}

export interface Loaded extends Accounts {
  /** What the same orders have of cards. */
  readonly cards: ReadonlyMap<string, Card>;
  /** Epoch milliseconds by the database's clock. */
  readonly now: number;
  readonly also: Record<string, unknown[]>;
}

interface Locked {
  readonly cards: readonly string[];
  readonly orders: readonly string[];
  readonly customers: readonly string[];
}

// Authorizations before wallets, each in the order of its key: two steps can wait for each other only in one direction.
// A void does not name its customer, so the wallets follow from the authorizations. Cards first of all: their due work
// locks nothing else.
const lockRows = `
WITH cards AS MATERIALIZED (
  SELECT order_id FROM card_payment WHERE order_id = ANY($1::uuid[]) ORDER BY card_payment.order_id FOR UPDATE
), claimed AS MATERIALIZED (
  SELECT order_id, customer_id FROM "authorization" WHERE order_id = ANY($1::uuid[]) ORDER BY order_id FOR UPDATE
), wanted AS (
  SELECT unnest($2::text[]) AS customer_id
  UNION
  SELECT customer_id FROM claimed WHERE customer_id IS NOT NULL
), wallets AS MATERIALIZED (
  SELECT customer_id FROM wallet WHERE customer_id IN (SELECT customer_id FROM wanted) ORDER BY customer_id FOR UPDATE
)
SELECT (SELECT coalesce(json_agg(order_id), '[]') FROM cards) AS cards,
       (SELECT coalesce(json_agg(order_id), '[]') FROM claimed) AS orders,
       (SELECT coalesce(json_agg(customer_id), '[]') FROM wallets) AS customers`;

async function lock(
  tx: Transaction,
  orders: readonly string[],
  customers: readonly string[],
): Promise<Locked> {
  const [locked] = await tx.query<Locked & Record<string, unknown>>({
    name: 'wallet-lock',
    text: lockRows,
    values: [orders, customers],
  });
  return locked ?? { cards: [], orders: [], customers: [] };
}

const authorizationsOf = (orders: readonly string[]): Part => ({
  name: 'authorizations',
  text: `SELECT order_id, status, customer_id, amount, method, reason, detail FROM "authorization" WHERE order_id = ANY($1::uuid[])`,
  values: [orders],
});

const walletsOf = (customers: readonly string[]): Part => ({
  name: 'wallets',
  text: `SELECT customer_id, balance, held, deposited, captured, refunded FROM wallet WHERE customer_id = ANY($1::text[])`,
  values: [customers],
});

interface AuthorizationRow {
  readonly order_id: string;
  readonly status: Authorization['status'];
  readonly customer_id: string | null;
  readonly amount: number | null;
  readonly method: Method | null;
  readonly reason: RefusedWhy | null;
  readonly detail: string | null;
}
interface WalletRow {
  readonly customer_id: string;
  readonly balance: number;
  readonly held: number;
  readonly deposited: number;
  readonly captured: number;
  readonly refunded: number;
}

/**
 * Locks everything the orders and customers touch with one statement, then loads it with a second one: in one and the
 * same statement a row that was committed while it waited would not be seen. Also reads the parts given. Throws when a
 * wallet's sums do not hold.
 */
export async function lockAndLoad(
  tx: Transaction,
  orders: readonly string[],
  customers: readonly string[],
  also: readonly Part[] = [],
): Promise<Loaded> {
  for (;;) {
    const locked = await lock(tx, orders, customers);
    const rows = await tx.read([
      authorizationsOf(orders),
      walletsOf(locked.customers),
      cardsPart(orders),
      ...also,
      databaseClock,
    ]);
    const authorizations = rows['authorizations'] as AuthorizationRow[];
    // An authorization that was committed between the two statements is not locked yet, nor is its wallet.
    if (authorizations.some((row) => !locked.orders.includes(row.order_id))) continue;
    const cards = cardsOf(rows['cards']);
    if ([...cards.keys()].some((orderId) => !locked.cards.includes(orderId))) continue;
    const [clock] = rows['clock'] as { now: number }[];
    if (!clock) throw new Error('the load did not answer the time');
    return {
      cards,
      authorizations: new Map(authorizations.map((row) => [row.order_id, authorizationOf(row)])),
      wallets: new Map(
        (rows['wallets'] as WalletRow[]).map((row) => [row.customer_id, checked(walletOf(row))]),
      ),
      now: clock.now,
      also: rows,
    };
  }
}

/** What changed between the load and now, with the postings, as parts of the step's one write. */
export function saveParts(
  before: Accounts,
  after: Accounts,
  entries: readonly LedgerEntry[],
  now: number,
): Part[] {
  const wallets = [...after.wallets.values()].filter(
    (wallet) => before.wallets.get(wallet.customerId) !== wallet,
  );
  const changed = [...after.authorizations].filter(
    ([orderId, held]) => before.authorizations.get(orderId) !== held,
  );
  const fresh = changed.filter(([orderId]) => !before.authorizations.has(orderId));
  const known = changed.filter(([orderId]) => before.authorizations.has(orderId));
  return [
    saveWallets(wallets),
    insertAuthorizations(fresh, now),
    updateAuthorizations(known, now),
    insertEntries(balanced(entries), now),
  ];
}

function saveWallets(wallets: readonly Wallet[]): Part {
  return {
    name: 'wallet',
    text: `UPDATE wallet SET balance = now.balance, held = now.held, deposited = now.deposited, captured = now.captured, refunded = now.refunded
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
  AS now(customer_id, balance, held, deposited, captured, refunded)
WHERE wallet.customer_id = now.customer_id
RETURNING 1`,
    values: [
      wallets.map((wallet) => wallet.customerId),
      wallets.map((wallet) => wallet.balance),
      wallets.map((wallet) => wallet.held),
      wallets.map((wallet) => wallet.deposited),
      wallets.map((wallet) => wallet.captured),
      wallets.map((wallet) => wallet.refunded),
    ],
  };
}

// A plain INSERT: when two consumers hold messages of one order during a rebalance, the second meets the first one's
// row here (23505), and is run again on what it then loads.
function insertAuthorizations(
  authorizations: readonly (readonly [string, Authorization])[],
  now: number,
): Part {
  return {
    name: 'authorization-new',
    text: `INSERT INTO "authorization" (order_id, status, customer_id, amount, method, reason, detail, created_at, updated_at)
SELECT a.order_id, a.status, a.customer_id, a.amount, a.method, a.reason, a.detail,
  to_timestamp($8::bigint / 1000.0), to_timestamp($8::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
  AS a(order_id, status, customer_id, amount, method, reason, detail)
ORDER BY a.order_id
RETURNING 1`,
    values: [...columns(authorizations), now],
  };
}

function updateAuthorizations(
  authorizations: readonly (readonly [string, Authorization])[],
  now: number,
): Part {
  return {
    name: 'authorization',
    text: `UPDATE "authorization" AS known SET status = a.status, customer_id = a.customer_id, amount = a.amount, method = a.method,
  reason = a.reason, detail = a.detail, updated_at = to_timestamp($8::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
  AS a(order_id, status, customer_id, amount, method, reason, detail)
WHERE known.order_id = a.order_id
RETURNING 1`,
    values: [...columns(authorizations), now],
  };
}

function columns(authorizations: readonly (readonly [string, Authorization])[]): unknown[] {
  return [
    authorizations.map(([orderId]) => orderId),
    authorizations.map(([, authorization]) => authorization.status),
    authorizations.map(([, { claim }]) => claim?.customerId ?? null),
    authorizations.map(([, { claim }]) => claim?.amount ?? null),
    authorizations.map(([, { claim }]) => claim?.method ?? null),
    authorizations.map(([, authorization]) =>
      authorization.status === 'REFUSED' ? authorization.reason : null,
    ),
    authorizations.map(([, authorization]) =>
      authorization.status === 'REFUSED' ? authorization.detail : null,
    ),
  ];
}

function insertEntries(entries: readonly LedgerEntry[], now: number): Part {
  return {
    name: 'ledger',
    text: `INSERT INTO ledger_entry (posting_id, account, kind, amount, order_id, at)
SELECT e.posting_id, e.account, e.kind, e.amount, e.order_id, to_timestamp($6::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::uuid[]) WITH ORDINALITY AS e(posting_id, account, kind, amount, order_id, n)
ORDER BY e.n
RETURNING 1`,
    values: [
      entries.map((entry) => entry.postingId),
      entries.map((entry) => entry.account),
      entries.map((entry) => entry.kind),
      entries.map((entry) => entry.amount),
      entries.map((entry) => entry.orderId),
      now,
    ],
  };
}

/** Opens an empty wallet; a known one stays as it is. */
export const openWalletPart = (customerId: string): Part => ({
  name: 'open-wallet',
  text: `INSERT INTO wallet (customer_id) VALUES ($1) ON CONFLICT (customer_id) DO NOTHING RETURNING 1`,
  values: [customerId],
});

function authorizationOf(row: AuthorizationRow): Authorization {
  const { status, customer_id: customerId, amount, method, reason } = row;
  const claim =
    customerId === null || amount === null || method === null ? null : { customerId, amount, method };
  if (status === 'VOIDED') return { status, claim };
  if (!claim) throw new Error(`the authorization of order ${row.order_id} is ${status} and names no claim`);
  if (status !== 'REFUSED') return { status, claim };
  if (reason === null) throw new Error(`the refusal of order ${row.order_id} has no reason`);
  return { status, claim, reason, detail: row.detail ?? '' };
}

function walletOf({ customer_id: customerId, ...sums }: WalletRow): Wallet {
  return { customerId, ...sums };
}
