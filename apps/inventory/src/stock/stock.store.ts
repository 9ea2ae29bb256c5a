import { databaseClock, type Part, type Transaction } from '@faultline/database';
import type { Reservation } from './reservation.js';
import type { Line, Shelf } from './stock.js';

/** What a step holds in its hands: the reservations of its orders and the shelves of their SKUs. */
export interface Stock {
  readonly reservations: Map<string, Reservation>;
  readonly shelves: Map<string, Shelf>;
}

export interface Loaded extends Stock {
  /** Epoch milliseconds by the database's clock. */
  readonly now: number;
  readonly also: Record<string, unknown[]>;
}

interface Locked {
  readonly orders: readonly string[];
  readonly skus: readonly string[];
}

// Reservations before shelves, each in the order of its key: two steps can wait for each other only in one direction.
// A release does not name its SKUs, so the shelves follow from the reservations' own lines.
const lockRows = `
WITH held AS MATERIALIZED (
  SELECT order_id, lines FROM reservation WHERE order_id = ANY($1::uuid[]) ORDER BY order_id FOR UPDATE
), wanted AS (
  SELECT unnest($2::text[]) AS sku
  UNION
  SELECT line->>'sku' FROM held CROSS JOIN jsonb_array_elements(held.lines) AS line
), shelves AS MATERIALIZED (
  SELECT sku FROM stock WHERE sku IN (SELECT sku FROM wanted) ORDER BY sku FOR UPDATE
)
SELECT (SELECT coalesce(json_agg(order_id), '[]') FROM held) AS orders,
       (SELECT coalesce(json_agg(sku), '[]') FROM shelves) AS skus`;

async function lock(tx: Transaction, orders: readonly string[], skus: readonly string[]): Promise<Locked> {
  const [locked] = await tx.query<{ orders: string[]; skus: string[] }>({
    name: 'stock-lock',
    text: lockRows,
    values: [orders, skus],
  });
  return locked ?? { orders: [], skus: [] };
}

const reservationsOf = (orders: readonly string[]): Part => ({
  name: 'reservations',
  text: `SELECT order_id, status, lines, reason, detail FROM reservation WHERE order_id = ANY($1::uuid[])`,
  values: [orders],
});

const shelvesOf = (skus: readonly string[]): Part => ({
  name: 'shelves',
  text: `SELECT sku, on_hand, reserved, sold, delivered FROM stock WHERE sku = ANY($1::text[])`,
  values: [skus],
});

interface ReservationRow {
  readonly order_id: string;
  readonly status: Reservation['status'];
  readonly lines: readonly Line[];
  readonly reason: 'OUT_OF_STOCK' | 'EXPIRED' | null;
  readonly detail: string | null;
}
interface ShelfRow {
  readonly sku: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly sold: number;
  readonly delivered: number;
}

/**
 * Locks everything the orders and SKUs touch with one statement, then loads it with a second one: in one and the same
 * statement a row that was committed while it waited would not be seen. Also reads the parts given.
 */
export async function lockAndLoad(
  tx: Transaction,
  orders: readonly string[],
  skus: readonly string[],
  also: readonly Part[] = [],
): Promise<Loaded> {
  for (;;) {
    const locked = await lock(tx, orders, skus);
    const rows = await tx.read([reservationsOf(orders), shelvesOf(locked.skus), ...also, databaseClock]);
    const reservations = rows['reservations'] as ReservationRow[];
    // A reservation that was committed between the two statements is not locked yet, nor are its shelves.
    if (reservations.some((row) => !locked.orders.includes(row.order_id))) continue;
    const [clock] = rows['clock'] as { now: number }[];
    if (!clock) throw new Error('the load did not answer the time');
    return {
      reservations: new Map(reservations.map((row) => [row.order_id, reservationOf(row)])),
      shelves: new Map((rows['shelves'] as ShelfRow[]).map((row) => [row.sku, shelfOf(row)])),
      now: clock.now,
      also: rows,
    };
  }
}

/** What changed between the load and now, as parts of the step's one write. */
export function saveParts(before: Stock, after: Stock, now: number): Part[] {
  const shelves = [...after.shelves.values()].filter((shelf) => before.shelves.get(shelf.sku) !== shelf);
  const changed = [...after.reservations].filter(
    ([orderId, held]) => before.reservations.get(orderId) !== held,
  );
  const fresh = changed.filter(([orderId]) => !before.reservations.has(orderId));
  const known = changed.filter(([orderId]) => before.reservations.has(orderId));
  return [saveShelves(shelves), insertReservations(fresh, now), updateReservations(known, now)];
}

function saveShelves(shelves: readonly Shelf[]): Part {
  return {
    name: 'stock',
    text: `UPDATE stock SET on_hand = now.on_hand, reserved = now.reserved, sold = now.sold, delivered = now.delivered
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS now(sku, on_hand, reserved, sold, delivered)
WHERE stock.sku = now.sku
RETURNING 1`,
    values: [
      shelves.map((shelf) => shelf.sku),
      shelves.map((shelf) => shelf.onHand),
      shelves.map((shelf) => shelf.reserved),
      shelves.map((shelf) => shelf.sold),
      shelves.map((shelf) => shelf.delivered),
    ],
  };
}

// A plain INSERT: when two consumers hold messages of one order during a rebalance, the second meets the first one's
// row here (23505), and is run again on what it then loads.
function insertReservations(reservations: readonly (readonly [string, Reservation])[], now: number): Part {
  return {
    name: 'reservation-new',
    text: `INSERT INTO reservation (order_id, status, lines, reason, detail, created_at, updated_at)
SELECT r.order_id, r.status, r.lines, r.reason, r.detail, to_timestamp($6::bigint / 1000.0), to_timestamp($6::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[]) AS r(order_id, status, lines, reason, detail)
ORDER BY r.order_id
RETURNING 1`,
    values: [...columns(reservations), now],
  };
}

function updateReservations(reservations: readonly (readonly [string, Reservation])[], now: number): Part {
  return {
    name: 'reservation',
    text: `UPDATE reservation SET status = r.status, lines = r.lines, reason = r.reason, detail = r.detail,
  updated_at = to_timestamp($6::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[]) AS r(order_id, status, lines, reason, detail)
WHERE reservation.order_id = r.order_id
RETURNING 1`,
    values: [...columns(reservations), now],
  };
}

function columns(reservations: readonly (readonly [string, Reservation])[]): unknown[] {
  return [
    reservations.map(([orderId]) => orderId),
    reservations.map(([, reservation]) => reservation.status),
    reservations.map(([, reservation]) => JSON.stringify(reservation.lines)),
    reservations.map(([, reservation]) => (reservation.status === 'REFUSED' ? reservation.reason : null)),
    reservations.map(([, reservation]) => (reservation.status === 'REFUSED' ? reservation.detail : null)),
  ];
}

/** A new item, or another name or price for a known one; its quantities stay. Idempotent. */
export const putItemPart = (sku: string, name: string, unitPrice: number): Part => ({
  name: 'item',
  text: `INSERT INTO stock (sku, name, unit_price) VALUES ($1, $2, $3)
ON CONFLICT (sku) DO UPDATE SET name = excluded.name, unit_price = excluded.unit_price
RETURNING 1`,
  values: [sku, name, unitPrice],
});

function reservationOf(row: ReservationRow): Reservation {
  if (row.status !== 'REFUSED') return { status: row.status, lines: row.lines };
  if (row.reason === null) throw new Error(`the refusal of order ${row.order_id} has no reason`);
  return { status: 'REFUSED', lines: row.lines, reason: row.reason, detail: row.detail ?? '' };
}

function shelfOf(row: ShelfRow): Shelf {
  return {
    sku: row.sku,
    onHand: row.on_hand,
    reserved: row.reserved,
    sold: row.sold,
    delivered: row.delivered,
  };
}
