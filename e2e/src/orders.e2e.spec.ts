import { randomUUID } from 'node:crypto';
import { OrderView, StockView, Timeline, WalletView } from '@faultline/contracts';
import { eventually } from '@faultline/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  audit,
  Client,
  type OrderBody,
  send,
  type ServiceName,
  startSystem,
  type System,
} from '@faultline/harness';
import pg from 'pg';
import { z } from 'zod';

let system: System;
let client: Client;

beforeAll(async () => {
  system = await startSystem('orders');
  client = new Client(system.urls);
});
afterAll(() => system?.stop());

const of = (customerId: string, sku: string, quantity: number): OrderBody => ({
  customerId,
  lines: [{ sku, quantity }],
});

async function decided(body: OrderBody): Promise<OrderView> {
  const { order } = await client.place(body, { prefer: 'wait=30' });
  if (!order) throw new Error('not accepted');
  expect(order.status).not.toBe('PENDING');
  return order;
}

const settled = (orderId: string, within = 10_000): Promise<OrderView> =>
  eventually(
    async () => {
      const order = await client.get(orderId);
      expect(['SETTLED', 'UNDONE']).toContain(order.settlement);
      return order;
    },
    { within },
  );

const stockOf = async (sku: string): Promise<StockView> =>
  StockView.parse((await send(`${system.urls.inventory}/stock/${sku}`)).json());
const walletOf = async (customerId: string): Promise<WalletView> =>
  WalletView.parse((await send(`${system.urls.payment}/wallets/${customerId}`)).json());
const timelineOf = async (orderId: string): Promise<Timeline> =>
  Timeline.parse((await send(`${system.urls.order}/orders/${orderId}/timeline`)).json());

describe('an order', () => {
  it('is approved and settled: its stock is sold, its money is captured', async () => {
    const before = { stock: await stockOf('teapot'), wallet: await walletOf('customer-10') };
    const order = await decided(of('customer-10', 'teapot', 2));
    expect(order.status).toBe('APPROVED');
    expect(order.rejection).toBeNull();
    expect(order.decidedAt).not.toBeNull();
    const after = await settled(order.orderId);
    expect([after.settlement, after.settledAt === null]).toEqual(['SETTLED', false]);
    const stock = await stockOf('teapot');
    expect([stock.sold - before.stock.sold, before.stock.onHand - stock.onHand, stock.reserved]).toEqual([
      2, 2, 0,
    ]);
    const wallet = await walletOf('customer-10');
    expect([wallet.captured - before.wallet.captured, wallet.held]).toEqual([6400, 0]);
    expect(before.wallet.balance - wallet.balance).toBe(6400);
    const entries = (await send(`${system.urls.payment}/wallets/customer-10/entries`)).json();
    expect(JSON.stringify(entries)).toContain(order.orderId);
  });

  it.each([
    ['OUT_OF_STOCK', of('customer-11', 'tea-rare', 6)],
    ['INSUFFICIENT_FUNDS', of('customer-poor', 'mug', 1)],
    ['UNKNOWN_CUSTOMER', of('customer-nobody', 'mug', 1)],
  ] as const)('is rejected as %s, and nothing of it stays', async (reason, body) => {
    const [line] = body.lines;
    const before = await stockOf(line?.sku ?? '');
    const order = await decided(body);
    expect(order.status).toBe('REJECTED');
    expect(order.rejection?.reason).toBe(reason);
    expect(order.rejection?.detail).not.toBe('');
    expect((await settled(order.orderId)).settlement).toBe('UNDONE');
    expect(await stockOf(line?.sku ?? '')).toEqual(before);
  });

  it('takes all of its lines or none', async () => {
    const before = [await stockOf('mug'), await stockOf('tea-rare')];
    const order = await decided({
      customerId: 'customer-12',
      lines: [
        { sku: 'mug', quantity: 3 },
        { sku: 'tea-rare', quantity: 6 },
      ],
    });
    expect(order.rejection).toMatchObject({ reason: 'OUT_OF_STOCK' });
    await settled(order.orderId);
    expect([await stockOf('mug'), await stockOf('tea-rare')]).toEqual(before);
    expect((await walletOf('customer-12')).held).toBe(0);
  });

  it('is one order for 20 twins with one key', async () => {
    const key = randomUUID();
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => client.place(of('customer-13', 'mug', 1), { key, prefer: 'wait=30' })),
    );
    expect(new Set(twins.map(({ order }) => order?.orderId)).size).toBe(1);
    expect(client.contradictions).toEqual([]);
    const listed = await client.listed();
    expect(listed.filter(({ customerId }) => customerId === 'customer-13')).toHaveLength(1);
    await settled(twins[0]?.order?.orderId ?? '');
    expect((await walletOf('customer-13')).captured).toBe(990);
  });

  it('is approved five times when 100 want the last five', async () => {
    expect((await stockOf('tea-rare')).available).toBe(5);
    const orders = await Promise.all(
      Array.from({ length: 100 }, (_, index) => decided(of(`customer-${index + 1}`, 'tea-rare', 1))),
    );
    expect(orders.filter(({ status }) => status === 'APPROVED')).toHaveLength(5);
    for (const { status, rejection } of orders)
      if (status === 'REJECTED') expect(rejection?.reason).toBe('OUT_OF_STOCK');
    await client.allEnded(30_000);
    expect(await stockOf('tea-rare')).toEqual(
      expect.objectContaining({ available: 0, reserved: 0, sold: 5, delivered: 5 }),
    );
  });

  it('is rejected as TIMED_OUT when payment never answers in time, and payment undoes what comes late', async () => {
    const before = await walletOf('customer-14');
    await system.process('payment').stop();
    let orderId = '';
    try {
      const { order } = await client.place(of('customer-14', 'coffee-beans', 1));
      orderId = order?.orderId ?? '';
      await eventually(async () => expect((await stockOf('coffee-beans')).reserved).toBe(1));
      await bringDeadlineForward(orderId);
      await eventually(async () => expect((await client.get(orderId)).status).toBe('REJECTED'), {
        within: 20_000,
      });
      const rejected = await client.get(orderId);
      expect(rejected.rejection?.reason).toBe('TIMED_OUT');
      expect(rejected.settlement).toBe('SETTLING');
      await eventually(async () => expect((await stockOf('coffee-beans')).reserved).toBe(0));
    } finally {
      await system.process('payment').start();
    }
    expect((await settled(orderId, 30_000)).settlement).toBe('UNDONE');
    expect(await walletOf('customer-14')).toEqual(before);
  });
});

/** Two minutes are long for a test: the order's deadline becomes now, in every row that holds it. */
function bringDeadlineForward(orderId: string): Promise<void> {
  return inDatabase('order', [
    `UPDATE saga SET state = jsonb_set(state, '{deadline}',
       to_jsonb(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)) WHERE id = '${orderId}'`,
    `UPDATE orders SET deadline = clock_timestamp() WHERE id = '${orderId}'`,
    `UPDATE due_work SET due_at = clock_timestamp() WHERE key = '${orderId}'`,
  ]);
}

/** Behind the service's back, in one transaction. */
async function inDatabase(service: ServiceName, statements: readonly string[]): Promise<void> {
  const database = new pg.Client({ connectionString: system.databaseUrl(service) });
  await database.connect();
  try {
    await database.query('BEGIN');
    for (const statement of statements) await database.query(statement);
    await database.query('COMMIT');
  } finally {
    await database.end();
  }
}

describe('what can be read of an order', () => {
  it('is a timeline of all three services in causal order', async () => {
    const { orderId } = await decided(of('customer-15', 'tea-green', 1));
    await settled(orderId);
    const { entries, unanswered } = await timelineOf(orderId);
    expect(unanswered).toEqual([]);
    expect(new Set(entries.map(({ service }) => service))).toEqual(
      new Set(['order', 'inventory', 'payment']),
    );
    // Two commands before the pivot and two after it, each handled there and its reply here.
    expect(entries.length).toBeGreaterThanOrEqual(9);
    for (const [index, { causationId }] of entries.entries()) {
      const cause = entries.findIndex(({ messageId }) => messageId === causationId);
      if (causationId !== null && cause >= 0) expect(cause).toBeLessThanOrEqual(index);
    }
    expect(entries[0]?.what).toBe('place-order');
  });

  it('is a timeline that names the service which does not answer', async () => {
    const { orderId } = await decided(of('customer-16', 'tea-green', 1));
    await settled(orderId);
    await system.process('payment').stop();
    try {
      const { entries, unanswered } = await timelineOf(orderId);
      expect(unanswered).toEqual(['payment']);
      expect(entries.length).toBeGreaterThan(0);
    } finally {
      await system.process('payment').start();
      await system.whenReady();
    }
  });

  it('is a stream of its changes, which ends when the order is settled', async () => {
    const { order } = await client.place(of('customer-17', 'tea-black', 1));
    const answer = await send(`${system.urls.order}/orders/${order?.orderId}/stream`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
    const states = [...answer.text.matchAll(/^event: order\ndata: (.*)$/gm)].map(([, data]) =>
      OrderView.parse(JSON.parse(data ?? '')),
    );
    const last = states.at(-1);
    expect([last?.status, last?.settlement]).toEqual(['APPROVED', 'SETTLED']);
    const told = states.map(({ status, settlement }) => `${status}/${settlement}`);
    expect(told).toEqual([...new Set(told)]);
  });

  it('is in lists by status, customer and protocol, page by page without gaps', async () => {
    for (let index = 0; index < 5; index += 1) await client.place(of('customer-18', 'mug', 1));
    await client.allEnded(20_000);
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const url: string = `${system.urls.order}/orders?customerId=customer-18&protocol=saga&status=APPROVED&limit=2${cursor ? `&cursor=${cursor}` : ''}`;
      const page: { items: OrderView[]; nextCursor: string | null } = z
        .object({ items: z.array(OrderView).max(2), nextCursor: z.string().nullable() })
        .parse((await send(url)).json());
      ids.push(...page.items.map(({ orderId }) => orderId));
      cursor = page.nextCursor;
    } while (cursor);
    const mine = client.accepted.filter(
      ({ body, order }) => body.customerId === 'customer-18' && order.status === 'APPROVED',
    );
    expect(new Set(ids)).toEqual(new Set(mine.map(({ order }) => order.orderId)));
    expect(ids).toHaveLength(mine.length);
  });

  it('is a saga that says what was sent and answered at which attempt', async () => {
    const { orderId } = await decided(of('customer-19', 'mug', 1));
    await settled(orderId);
    const saga = z
      .looseObject({
        status: z.string(),
        definitionVersion: z.int(),
        steps: z.record(z.string(), z.looseObject({ status: z.string() })),
      })
      .parse((await send(`${system.urls.order}/sagas/${orderId}`)).json());
    expect(saga.status).toBe('COMPLETED');
    expect(Object.values(saga.steps).map(({ status }) => status)).toEqual(['DONE', 'DONE', 'DONE', 'DONE']);
  });
});

it('leaves books that agree with everything that was answered', async () => {
  expect(await audit(system, client)).toEqual([]);
});

// Last: the system is spoilt by it.
it('has an audit that finds what was done behind the services\u2019 backs', async () => {
  const approved = client.accepted.filter(({ order }) => order.status === 'APPROVED');
  const [lost, open, twice] = approved.map(({ order }) => order.orderId);
  await inDatabase('inventory', [
    `UPDATE stock SET on_hand = on_hand - 1, sold = sold + 1 WHERE sku = 'coffee-beans'`,
    `UPDATE stock SET on_hand = on_hand + 1, delivered = delivered + 1 WHERE sku = 'tea-rare'`,
    `UPDATE stock SET reserved = 1 WHERE sku = 'tea-black'`,
    `INSERT INTO journal (order_id, at, what, message_id, attempt, outcome)
       SELECT order_id, at, what, message_id, attempt, outcome FROM journal WHERE order_id = '${twice}'`,
  ]);
  await inDatabase('payment', [
    `UPDATE wallet SET balance = balance - 1, captured = captured + 1 WHERE customer_id = 'customer-90'`,
    `UPDATE wallet SET balance = balance + 2, deposited = deposited + 2 WHERE customer_id = 'customer-91'`,
    `UPDATE wallet SET held = 3 WHERE customer_id = 'customer-92'`,
    `UPDATE ledger_entry SET amount = amount + 4 WHERE id = (SELECT min(id) FROM ledger_entry)`,
    `INSERT INTO dead_letter (id, consumer, topic, partition, message_id, headers, reason, detail)
       VALUES (gen_random_uuid(), 'payment', 'payment.commands', 0, 'lost', '{}', 'INVALID_BODY', '')`,
  ]);
  await inDatabase('order', [
    `DELETE FROM orders WHERE id = '${lost}'`,
    `UPDATE orders SET status = 'REJECTED', rejection_reason = 'TIMED_OUT', rejection_detail = '',
       settlement = 'SETTLING', settled_at = NULL WHERE id = '${open}'`,
  ]);
  const findings = await audit(system, client, { within: 500, timelines: 1000 });
  for (const expected of [
    /^P: orders stand for .*"coffee-beans"/,
    /^P: the client's approved orders hold .*"coffee-beans"/,
    /^S: the client knows of deliveries of 5: .*"tea-rare"/,
    /^P: reserved with nothing under way: .*"tea-black"/,
    new RegExp(`^E: ${twice}: took effect twice: inventory`),
    /^P: the client's approved orders are worth .*"customer-90"/,
    /^M: the client knows of deposits of 1000000: .*"customer-91"/,
    /^P: held with nothing under way: .*"customer-92"/,
    /^M: the ledger sums to 4/,
    /^D: dead letter .*: payment could not take lost of payment.commands: INVALID_BODY/,
    new RegExp(`^A: order ${lost} was answered 2xx and is not there`),
    /^T: 1 orders REJECTED\/SETTLING/,
    /^A: key .*: REJECTED after APPROVED/,
  ])
    expect(findings).toContainEqual(expect.stringMatching(expected));
});
