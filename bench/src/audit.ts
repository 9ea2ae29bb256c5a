import type { System } from '@faultline/harness';
import { Client } from 'pg';
import { bareDatabases } from './bare-orders.js';

type Row = Record<string, string>;

const ask = async (url: string, text: string): Promise<Row[]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(`/* bench */ ${text}`)).rows;
  } finally {
    await client.end();
  }
};

const sumsOf = (rows: readonly Row[]): Map<string, number> =>
  new Map(rows.map((row) => [row['key'] ?? '', Number(row['value'])]));

function compare(what: string, one: Map<string, number>, other: Map<string, number>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])]
    .filter((key) => (one.get(key) ?? 0) !== (other.get(key) ?? 0))
    .map((key) => `${what} ${key}: ${one.get(key) ?? 0} and ${other.get(key) ?? 0}`);
}

const none = async (what: string, url: string, count: string): Promise<string[]> => {
  const [row] = await ask(url, count);
  return row?.['n'] === '0' ? [] : [`${row?.['n']} ${what}`];
};

const waiting = `SELECT count(*) AS n FROM outbox`;
const open = `SELECT count(*) AS n FROM orders WHERE settlement NOT IN ('SETTLED', 'UNDONE')`;

/** Resolves when nothing of Faultline is under way any more; throws after a minute. */
export async function quiet(system: System): Promise<void> {
  for (const [service, count] of [
    ['order', open],
    ['order', waiting],
    ['inventory', waiting],
    ['payment', waiting],
  ] as const) {
    const client = new Client({ connectionString: system.databaseUrl(service) });
    await client.connect();
    try {
      const until = performance.now() + 60_000;
      for (;;) {
        const { rows } = await client.query<Row>(`/* bench */ ${count}`);
        if (rows[0]?.['n'] === '0') break;
        if (performance.now() > until) throw new Error(`${service} is not quiet after a minute: ${count}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      await client.end();
    }
  }
}

/**
 * What the tables say when nothing is under way: the invariants that a lost, doubled or half-done order breaks. Answers
 * one line per finding. `orders` is how many the load generator was told of.
 */
export async function auditFaultline(system: System, orders: number): Promise<string[]> {
  const [order, inventory, payment] = [
    system.databaseUrl('order'),
    system.databaseUrl('inventory'),
    system.databaseUrl('payment'),
  ];
  const [count] = await ask(order, 'SELECT count(*) AS n FROM orders');
  return [
    ...(Number(count?.['n']) === orders
      ? []
      : [`${count?.['n']} orders are stored, ${orders} were answered`]),
    ...(await none(
      'orders have not ended',
      order,
      `SELECT count(*) AS n FROM orders WHERE (status, settlement) NOT IN (('APPROVED', 'SETTLED'), ('REJECTED', 'UNDONE'))`,
    )),
    ...(await none(
      'entries that do not sum to zero',
      payment,
      'SELECT coalesce(sum(amount), 0) AS n FROM ledger_entry',
    )),
    ...(await none('cents are still held', payment, 'SELECT coalesce(sum(held), 0) AS n FROM wallet')),
    ...(await none(
      'pieces are still reserved',
      inventory,
      'SELECT coalesce(sum(reserved), 0) AS n FROM stock',
    )),
    ...(
      await Promise.all(
        [order, inventory, payment].flatMap((url) => [
          none('dead letters', url, 'SELECT count(*) AS n FROM dead_letter'),
          none('rows wait in an outbox', url, waiting),
        ]),
      )
    ).flat(),
    ...compare(
      'approved and paid, cents of',
      sumsOf(
        await ask(
          order,
          `SELECT customer_id AS key, sum(total) AS value FROM orders WHERE status = 'APPROVED' GROUP BY 1`,
        ),
      ),
      sumsOf(await ask(payment, 'SELECT customer_id AS key, captured - refunded AS value FROM wallet')),
    ),
    ...compare(
      'approved and sold, pieces of',
      sumsOf(
        await ask(
          order,
          `SELECT line->>'sku' AS key, sum((line->>'quantity')::int) AS value
           FROM orders, jsonb_array_elements(lines) AS line WHERE status = 'APPROVED' GROUP BY 1`,
        ),
      ),
      sumsOf(await ask(inventory, 'SELECT sku AS key, sold AS value FROM stock')),
    ),
  ];
}

/** The same of the bare case. */
export async function auditBare(server: string): Promise<string[]> {
  const at = (database: string): string => {
    const url = new URL(server);
    url.pathname = `/${database}`;
    return url.href;
  };
  return [
    ...(await none(
      'bare orders are undecided',
      at(bareDatabases.order),
      `SELECT count(*) AS n FROM orders WHERE status = 'PENDING'`,
    )),
    ...compare(
      'bare: approved and sold, pieces of',
      sumsOf(
        await ask(
          at(bareDatabases.order),
          `SELECT line->>'sku' AS key, sum((line->>'quantity')::int) AS value
           FROM orders, jsonb_array_elements(lines) AS line WHERE status = 'APPROVED' GROUP BY 1`,
        ),
      ),
      sumsOf(await ask(at(bareDatabases.inventory), 'SELECT sku AS key, sold AS value FROM stock')),
    ),
    ...compare(
      'bare: approved and paid, cents of',
      sumsOf(
        await ask(
          at(bareDatabases.order),
          `SELECT 'wallet:' || customer_id AS key, sum(total) AS value FROM orders WHERE status = 'APPROVED' GROUP BY 1`,
        ),
      ),
      sumsOf(
        await ask(
          at(bareDatabases.payment),
          `SELECT account AS key, -sum(amount) AS value FROM ledger_entry WHERE account <> 'shop' GROUP BY 1`,
        ),
      ),
    ),
  ];
}
