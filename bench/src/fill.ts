import { randomUUID } from 'node:crypto';
import { send, type ServiceName } from '@faultline/harness';
import { quiet } from './audit.js';
import { withClient } from './bare-orders.js';
import type { Session } from './session.js';
import type { Say } from './speed.js';

const atOnce = 20_000;

// Ids as the services make them (UUID version 7): in the order of time, so that they land in their indexes where real
// ones would. The same number and name give the same id in every database. 60 ms lie between two orders.
const ids = `CREATE FUNCTION pg_temp.id(n bigint, name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM date_trunc('day', now())) * 1000)::bigint - 72000000 + n * 60), 12, '0')
    || '7' || substr(md5(n || name), 1, 3) || '8' || substr(md5(n || name), 4, 15))::uuid $$`;

const inbox = (messages: number): string => `INSERT INTO inbox (consumer, message_id, outcome)
  SELECT (SELECT consumer FROM inbox LIMIT 1), pg_temp.id(n, 'message ' || k)::text, 'applied'
  FROM generate_series($2::bigint, $3::bigint) AS n, generate_series(1, ${messages}) AS k WHERE $1::uuid IS NOT NULL`;

const journal = `INSERT INTO journal (order_id, at, what, message_id, causation_id, attempt, outcome, detail)
  SELECT pg_temp.id(n, 'order'), at, what, pg_temp.id(n, what), pg_temp.id(n, 'cause of ' || what), attempt, outcome, detail
  FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM journal WHERE order_id = $1) AS t ORDER BY n, t.id`;

/** What one approved order leaves in each database, many times over. $1 is the order to copy, $2 to $3 the numbers. */
const copies: Readonly<Record<ServiceName, readonly string[]>> = {
  order: [
    `INSERT INTO orders SELECT pg_temp.id(n, 'order'), 'customer-' || (1 + n % 100), protocol, payment, lines, total,
       currency, price_source, status, settlement, rejection_reason, rejection_detail, created_at, deadline, decided_at,
       settled_at, traceparent
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM orders WHERE id = $1) AS t`,
    `INSERT INTO saga SELECT pg_temp.id(n, 'order'), definition, definition_version, version, status, state, skipped,
       created_at, updated_at
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM saga WHERE id = $1) AS t`,
    // The customers' keys are random.
    `INSERT INTO idempotency_key SELECT gen_random_uuid(), body_hash, pg_temp.id(n, 'order'), created_at
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM idempotency_key WHERE order_id = $1) AS t`,
    inbox(4),
    journal,
  ],
  inventory: [
    `INSERT INTO reservation SELECT pg_temp.id(n, 'order'), status, lines, reason, detail, created_at, updated_at
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM reservation WHERE order_id = $1) AS t`,
    `WITH gone AS (
       SELECT line->>'sku' AS sku, (line->>'quantity')::bigint * ($3::bigint - $2::bigint + 1) AS quantity
       FROM reservation, jsonb_array_elements(lines) AS line WHERE order_id = $1)
     UPDATE stock SET on_hand = on_hand - quantity, sold = sold + quantity FROM gone WHERE stock.sku = gone.sku`,
    inbox(2),
    journal,
  ],
  payment: [
    `INSERT INTO "authorization" SELECT pg_temp.id(n, 'order'), status, 'customer-' || (1 + n % 100), amount, method,
       reason, detail, created_at, updated_at
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM "authorization" WHERE order_id = $1) AS t`,
    `INSERT INTO ledger_entry (posting_id, account, kind, amount, order_id, at)
     SELECT pg_temp.id(n, 'posting'), regexp_replace(account, 'customer-\\d+', 'customer-' || (1 + n % 100)), kind, amount,
       pg_temp.id(n, 'order'), at
     FROM generate_series($2::bigint, $3::bigint) AS n, (SELECT * FROM ledger_entry WHERE order_id = $1) AS t
     ORDER BY n, t.id`,
    `WITH paid AS (
       SELECT 'customer-' || (1 + n % 100) AS customer_id, count(*) * (SELECT amount FROM "authorization" WHERE order_id = $1) AS amount
       FROM generate_series($2::bigint, $3::bigint) AS n GROUP BY 1)
     UPDATE wallet SET balance = balance - amount, captured = captured + amount FROM paid
     WHERE wallet.customer_id = paid.customer_id`,
    inbox(2),
    journal,
  ],
};

/** Puts so many ended orders into the tables of all three services, with everything that each would have left there. */
export async function fillTables(session: Session, rows: number, say: Say): Promise<void> {
  const { system } = session;
  const template = await placeTemplate(session);
  await quiet(system);
  await Promise.all(
    (Object.keys(copies) as ServiceName[]).map((service) =>
      fillOne(system.databaseUrl(service), service, template, rows, say),
    ),
  );
  session.add(rows);
}

async function fillOne(
  url: string,
  service: ServiceName,
  template: string,
  rows: number,
  say: Say,
): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(ids);
    for (let from = 1; from <= rows; from += atOnce) {
      const to = Math.min(rows, from + atOnce - 1);
      for (const text of copies[service]) await client.query(text, [template, from, to]);
      if (to === rows || to % 200_000 === 0) say(`${service}: ${to} of ${rows} ended orders filled in`);
    }
    // What autovacuum would have done on the way.
    await client.query('VACUUM (ANALYZE)');
  });
}

async function placeTemplate(session: Session): Promise<string> {
  const answer = await send(`${session.system.urls.order}/orders`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), prefer: 'wait=30' },
    body: { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] },
  });
  session.add(1);
  const order = answer.json() as { readonly orderId: string; readonly status: string };
  if (order.status !== 'APPROVED') throw new Error(`the order to copy is not approved: ${answer.text}`);
  return order.orderId;
}
