import { readTogether, type Database, type Part } from '@faultline/database';
import type { PaymentMethod, Protocol, RejectionReason } from '@faultline/contracts';
import { settlementOf, type Order, type OrderFacts, type OrderLine } from './order.js';

/** A row of `orders` as the load statements answer it: instants as epoch milliseconds. */
export interface OrderRow {
  readonly id: string;
  readonly customerId: string;
  readonly protocol: Protocol;
  readonly payment: PaymentMethod;
  readonly lines: readonly OrderLine[];
  readonly total: number;
  readonly currency: 'EUR';
  readonly priceSource: 'live' | 'cached';
  readonly status: 'PENDING' | 'APPROVED' | 'REJECTED';
  readonly settlement: 'NONE' | 'SETTLING' | 'SETTLED' | 'UNDONE' | 'SUSPENDED';
  readonly rejectionReason: RejectionReason | null;
  readonly rejectionDetail: string | null;
  readonly createdAt: number;
  readonly deadline: number;
  readonly decidedAt: number | null;
  readonly settledAt: number | null;
  readonly traceparent: string;
}

const columns = `id, customer_id AS "customerId", protocol, payment, lines, total, currency,
  price_source AS "priceSource", status, settlement,
  rejection_reason AS "rejectionReason", rejection_detail AS "rejectionDetail",
  floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
  floor(extract(epoch FROM deadline) * 1000)::bigint AS "deadline",
  floor(extract(epoch FROM decided_at) * 1000)::bigint AS "decidedAt",
  floor(extract(epoch FROM settled_at) * 1000)::bigint AS "settledAt",
  traceparent`;

/** For a step's load. Rows are OrderRow. */
export function loadOrders(ids: readonly string[]): Part {
  return {
    name: 'orders',
    text: `SELECT ${columns} FROM orders WHERE id = ANY($1::uuid[])`,
    values: [[...ids]],
  };
}

/** The orders as they stand, those that there are. By named SQL: what customers wait for is asked many times a second. */
export async function findOrders(database: Database, ids: readonly string[]): Promise<Order[]> {
  const [row] = await database.query<{ orders: OrderRow[] }>(readTogether([loadOrders(ids)]));
  return (row?.orders ?? []).map(orderOf);
}

export function insertOrders(orders: readonly Order[]): Part {
  return {
    name: 'order-insert',
    text: `INSERT INTO orders (id, customer_id, protocol, payment, lines, total, currency, price_source, status,
                               settlement, created_at, deadline, traceparent)
           SELECT id, customer_id, protocol, payment, lines, total, currency, price_source, 'PENDING', 'NONE',
                  to_timestamp(created_at / 1000), to_timestamp(deadline / 1000), traceparent
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::bigint[], $7::text[],
                       $8::text[], $9::float8[], $10::float8[], $11::text[])
                AS new (id, customer_id, protocol, payment, lines, total, currency, price_source, created_at,
                        deadline, traceparent)
           RETURNING 1`,
    values: [
      orders.map((order) => order.orderId),
      orders.map((order) => order.customerId),
      orders.map((order) => order.protocol),
      orders.map((order) => JSON.stringify(order.payment)),
      orders.map((order) => JSON.stringify(order.lines)),
      orders.map((order) => order.total),
      orders.map((order) => order.currency),
      orders.map((order) => order.priceSource),
      orders.map((order) => order.createdAt),
      orders.map((order) => order.deadline),
      orders.map((order) => order.traceparent),
    ],
  };
}

/** Saves where orders stand. The caller holds the lock of each order's protocol row. */
export function saveOrders(orders: readonly Order[]): Part {
  return {
    name: 'order-save',
    text: `UPDATE orders
           SET status = new.status, settlement = new.settlement,
               rejection_reason = new.rejection_reason, rejection_detail = new.rejection_detail,
               decided_at = to_timestamp(new.decided_at / 1000), settled_at = to_timestamp(new.settled_at / 1000)
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[])
                AS new (id, status, settlement, rejection_reason, rejection_detail, decided_at, settled_at)
           WHERE orders.id = new.id
           RETURNING 1`,
    values: [
      orders.map((order) => order.orderId),
      orders.map((order) => order.status),
      orders.map(settlementOf),
      orders.map((order) => (order.status === 'REJECTED' ? order.rejection.reason : null)),
      orders.map((order) => (order.status === 'REJECTED' ? order.rejection.detail : null)),
      orders.map((order) => (order.status === 'PENDING' ? null : order.decidedAt)),
      orders.map((order) => ('settledAt' in order ? order.settledAt : null)),
    ],
  };
}

/** Throws for a row that no order can have: what the database holds is checked, too. */
export function orderOf(row: OrderRow): Order {
  const facts: OrderFacts = {
    orderId: row.id,
    customerId: row.customerId,
    protocol: row.protocol,
    payment: row.payment,
    lines: row.lines,
    total: row.total,
    currency: row.currency,
    priceSource: row.priceSource,
    createdAt: row.createdAt,
    deadline: row.deadline,
    traceparent: row.traceparent,
  };
  const { status, settlement, decidedAt, settledAt } = row;
  if (status === 'PENDING' && settlement === 'NONE') return { ...facts, status };
  if (decidedAt !== null && settlement !== 'NONE') {
    if (status === 'APPROVED') {
      if (settlement === 'SETTLING' || settlement === 'SUSPENDED')
        return { ...facts, status, decidedAt, settlement };
      if (settlement === 'SETTLED' && settledAt !== null)
        return { ...facts, status, decidedAt, settlement, settledAt };
    }
    if (status === 'REJECTED' && row.rejectionReason !== null) {
      const rejection = { reason: row.rejectionReason, detail: row.rejectionDetail ?? '' };
      if (settlement === 'SETTLING' || settlement === 'SUSPENDED') {
        return { ...facts, status, rejection, decidedAt, settlement };
      }
      if (settlement === 'UNDONE' && settledAt !== null) {
        return { ...facts, status, rejection, decidedAt, settlement, settledAt };
      }
    }
  }
  throw new Error(`order ${row.id} is stored as ${status}/${settlement}, which no order can be`);
}
