import { eventually } from '@faultline/testing';
import { z } from 'zod';
import type { OrderBody } from '../client.js';
import { send } from '../http.js';
import type { ServiceName } from '../system.js';
import type { Stage } from './guard.js';

/** Places an order and answers its id. */
export async function place({ client }: Stage, body: OrderBody): Promise<string> {
  const { order } = await client.place(body);
  if (!order) throw new Error('the order was not accepted');
  return order.orderId;
}

/** Resolves when the order has this status. */
export function becomes({ client }: Stage, orderId: string, status: string, within = 60_000): Promise<void> {
  return eventually(
    async () => {
      const order = await client.get(orderId);
      if (order.status !== status) throw new Error(`order ${orderId} is ${order.status}, not ${status}`);
    },
    { within, every: 30 },
  );
}

/** How often the service has noted this for the order. */
export async function noted(
  { databases }: Stage,
  service: ServiceName,
  orderId: string,
  what: string,
): Promise<number> {
  const [row] = await databases.read<{ count: number }>(
    service,
    'SELECT count(*) FROM journal WHERE order_id = $1 AND what = $2',
    [orderId, what],
  );
  return row?.count ?? 0;
}

/** Resolves when the service has noted it at least so often. */
export function notes(
  stage: Stage,
  service: ServiceName,
  orderId: string,
  what: string,
  times = 1,
): Promise<void> {
  return until(
    `${service} notes ${what} of ${orderId}`,
    async () => (await noted(stage, service, orderId, what)) >= times,
  );
}

/** Resolves when a connection of this service waits for a row that another has locked, or when `otherwise` holds. */
export function waitsForRowOr(
  { databases }: Stage,
  service: ServiceName,
  otherwise: () => Promise<boolean> | boolean,
): Promise<void> {
  return until(`${service} waits for a row`, async () => {
    const waiting = await databases.read(
      service,
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
       AND wait_event IN ('transactionid', 'tuple')`,
    );
    return waiting.length > 0 || (await otherwise());
  });
}

/** Answers what resolves when every transaction of the service that is open now has ended. */
export async function transactionsOf(
  { databases }: Stage,
  service: ServiceName,
): Promise<() => Promise<void>> {
  const open = await databases.read<{ pid: number; began: string }>(
    service,
    `SELECT pid, xact_start::text AS began FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE $1 AND xact_start IS NOT NULL`,
    [`${service}-%`],
  );
  return () =>
    until(`what ${service} had begun has ended`, async () => {
      const still = await databases.read(
        service,
        `SELECT 1 FROM pg_stat_activity
         JOIN unnest($1::int[], $2::timestamptz[]) AS open (pid, began) USING (pid) WHERE xact_start = began`,
        [open.map(({ pid }) => pid), open.map(({ began }) => began)],
      );
      return still.length === 0;
    });
}

/** Resolves when the condition holds; throws with what was waited for. */
export function until(what: string, holds: () => Promise<boolean> | boolean, within = 60_000): Promise<void> {
  return eventually(
    async () => {
      if (!(await holds())) throw new Error(`not yet: ${what}`);
    },
    { within, every: 30 },
  );
}

const Letters = z.object({ items: z.array(z.object({ id: z.string() })) });

/** Redrives all dead letters of a service, as an operator does. */
export async function redriveAll({ system }: Stage, service: ServiceName): Promise<void> {
  const headers = { authorization: `Bearer ${system.token}` };
  const letters = await send(`${system.urls[service]}/dead-letters`, { headers });
  for (const { id } of Letters.parse(letters.json()).items)
    await send(`${system.urls[service]}/dead-letters/${id}/redrive`, { method: 'POST', headers });
}

/** Resolves when everything that the service has written is published. */
export function published({ databases }: Stage, service: ServiceName): Promise<void> {
  return until(`the outbox of ${service} is empty`, async () => {
    const [row] = await databases.read<{ count: number }>(service, 'SELECT count(*) FROM outbox');
    return row?.count === 0;
  });
}
