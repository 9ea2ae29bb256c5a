import { randomUUID } from 'node:crypto';
import { Client, Pool, type PoolClient } from 'pg';
import type { Ended } from './loops.js';
import { customers, poor, skus, unitPrice, type Ordered } from './orders.js';

/** The databases of the bare case, on the server that Faultline uses. */
export const bareDatabases = {
  order: 'bare_order',
  inventory: 'bare_inventory',
  payment: 'bare_payment',
} as const;
type Room = keyof typeof bareDatabases;

const plenty = 1_000_000_000_000;
const schema: Readonly<Record<Room, string>> = {
  order: `CREATE TABLE orders (id uuid PRIMARY KEY, customer_id text NOT NULL, lines jsonb NOT NULL, total bigint NOT NULL,
    status text NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), decided_at timestamptz)`,
  // The same fill factor as Faultline's: a hot row finds room for its next version on its own page.
  inventory: `CREATE TABLE stock (sku text PRIMARY KEY, on_hand bigint NOT NULL CHECK (on_hand >= 0), sold bigint NOT NULL)
    WITH (fillfactor = 50)`,
  payment: `CREATE TABLE wallet (customer_id text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))
    WITH (fillfactor = 50);
    CREATE TABLE ledger_entry (id bigserial PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL,
    order_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
};

const urlOf = (server: string, database: string): string => {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
};

/** Creates the bare case's databases and fills shelves and wallets. */
export async function prepareBare(server: string): Promise<void> {
  await withClient(server, async (client) => {
    for (const name of Object.values(bareDatabases)) await client.query(`CREATE DATABASE ${name}`);
  });
  for (const room of Object.keys(schema) as Room[])
    await withClient(urlOf(server, bareDatabases[room]), (client) => client.query(schema[room]));
  await withClient(urlOf(server, bareDatabases.inventory), (client) =>
    client.query('INSERT INTO stock SELECT sku, $2, 0 FROM unnest($1::text[]) AS sku', [skus, plenty]),
  );
  await withClient(urlOf(server, bareDatabases.payment), (client) =>
    client.query(
      'INSERT INTO wallet SELECT customer_id, CASE customer_id WHEN $2 THEN 0 ELSE $3::bigint END FROM unnest($1::text[]) AS customer_id',
      [[...customers, poor], poor, plenty],
    ),
  );
}

// What Faultline's pools ask for, too: no plan that was made while a table was empty.
const plans = ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan']
  .map((setting) => `-c ${setting}=off`)
  .join(' ');

/**
 * One order in plain SQL: create, reserve, debit with its ledger entries in a transaction, say how it ended. Seven
 * statements, one after the other, and nothing that would tell after a crash how far it came.
 */
export class BareOrders {
  readonly #pools: Readonly<Record<Room, Pool>>;

  constructor(server: string) {
    const pool = (room: Room): Pool =>
      new Pool({ connectionString: urlOf(server, bareDatabases[room]), max: 16, options: plans });
    this.#pools = { order: pool('order'), inventory: pool('inventory'), payment: pool('payment') };
  }

  async place({ customerId, sku, quantity }: Ordered): Promise<Ended> {
    const id = randomUUID();
    const total = (unitPrice[sku] ?? 0) * quantity;
    const lines = JSON.stringify([{ sku, quantity, unitPrice: unitPrice[sku] }]);
    await this.#pools.order.query({
      name: 'create',
      text: `INSERT INTO orders (id, customer_id, lines, total, status) VALUES ($1, $2, $3, $4, 'PENDING')`,
      values: [id, customerId, lines, total],
    });
    const reserved = await this.#pools.inventory.query({
      name: 'reserve',
      text: 'UPDATE stock SET on_hand = on_hand - $2, sold = sold + $2 WHERE sku = $1 AND on_hand >= $2',
      values: [sku, quantity],
    });
    const paid = reserved.rowCount === 1 && (await this.#debit(customerId, total, id));
    if (!paid && reserved.rowCount === 1) {
      await this.#pools.inventory.query({
        name: 'give-back',
        text: 'UPDATE stock SET on_hand = on_hand + $2, sold = sold - $2 WHERE sku = $1',
        values: [sku, quantity],
      });
    }
    await this.#pools.order.query({
      name: 'decide',
      text: 'UPDATE orders SET status = $2, decided_at = clock_timestamp() WHERE id = $1',
      values: [id, paid ? 'APPROVED' : 'REJECTED'],
    });
    return paid ? 'approved' : 'rejected';
  }

  async #debit(customerId: string, total: number, orderId: string): Promise<boolean> {
    const client: PoolClient = await this.#pools.payment.connect();
    try {
      await client.query('BEGIN');
      const debited = await client.query({
        name: 'debit',
        text: 'UPDATE wallet SET balance = balance - $2 WHERE customer_id = $1 AND balance >= $2',
        values: [customerId, total],
      });
      if (debited.rowCount === 1) {
        await client.query({
          name: 'ledger',
          text: `INSERT INTO ledger_entry (account, amount, order_id) VALUES ('wallet:' || $1::text, -$2::bigint, $3), ('shop', $2, $3)`,
          values: [customerId, total, orderId],
        });
      }
      await client.query('COMMIT');
      client.release();
      return debited.rowCount === 1;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.end()));
  }
}

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
