import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  confirmStock,
  inventoryCommands,
  type MessageKind,
  partitionsOf,
  releaseStock,
  reserveStock,
  returnStock,
} from '@faultline/contracts';
import { encodeHeaders, type ReceivedRecord } from '@faultline/messaging';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import { testDatabase } from '@faultline/testing';
import { type StockCommand, stockStep } from './stock.step.js';
import { StockCommands } from './stock.commands.js';

type TestDatabase = Awaited<ReturnType<typeof testDatabase>>;

let db: TestDatabase;
let offset = 0;
const consumer = 'inventory';
const control = { heartbeat: async (): Promise<void> => undefined, isCurrent: (): boolean => true };

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
});
afterAll(() => db.drop());

beforeEach(async () => {
  const stock = new StockCommands(db.database);
  for (const [sku, quantity] of [
    ['mug', 5],
    ['tea', 100],
    ['pot', 100],
  ] as const) {
    await stock.put(sku, { name: sku, unitPrice: 100 });
    await stock.deliver(sku, quantity, randomUUID());
  }
});

// Whatever a test did, no shelf may have lost or made anything, and shelves and reservations must tell the same story.
afterEach(async () => {
  try {
    const rows = await db.database.query<{
      sku: string;
      reserved: number;
      sold: number;
      kept: number;
      gone: number;
    }>({
      name: 'sums',
      text: `SELECT sku, reserved, sold,
      (SELECT coalesce(sum((l->>'quantity')::bigint), 0)::bigint FROM reservation, jsonb_array_elements(lines) l WHERE status = 'RESERVED' AND l->>'sku' = stock.sku) AS kept,
      (SELECT coalesce(sum((l->>'quantity')::bigint), 0)::bigint FROM reservation, jsonb_array_elements(lines) l WHERE status = 'CONFIRMED' AND l->>'sku' = stock.sku) AS gone
    FROM stock`,
      values: [],
    });
    for (const row of rows) expect([row.sku, row.reserved, row.sold]).toEqual([row.sku, row.kept, row.gone]);
  } finally {
    await db.database.pool.query(
      'TRUNCATE stock, reservation, inbox, outbox, journal, dead_letter, idempotency_key',
    );
  }
});

const handle = () =>
  consumeInSteps<StockCommand>({
    database: db.database,
    consumer,
    decode: messageDecoder(inventoryCommands),
    step: stockStep({ source: '/inventory', partitionsOf }),
  });

interface Sent {
  readonly id?: string;
  readonly deadline?: number | null;
  readonly attempt?: number;
  readonly lines?: readonly { sku: string; quantity: number }[];
}

function command(kind: MessageKind, orderId: string, sent: Sent = {}): ReceivedRecord {
  const { id = randomUUID(), deadline = null, attempt = 1, lines } = sent;
  const headers = encodeHeaders({
    id,
    type: kind.type,
    source: '/order',
    subject: orderId,
    time: new Date().toISOString(),
    correlationId: orderId,
    causationId: null,
    deadline,
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  });
  return {
    topic: kind.topic,
    partition: 0,
    offset: String(offset++),
    key: Buffer.from(orderId),
    value: Buffer.from(JSON.stringify({ orderId, attempt, ...(lines ? { lines } : {}) })),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  };
}
const mugs = (quantity: number): Sent => ({ lines: [{ sku: 'mug', quantity }] });

interface Reply {
  readonly type: string;
  readonly orderId: string;
  readonly command: string;
  readonly attempt: number;
  readonly reason?: string;
  readonly traceparent: string;
}
async function replies(orderId?: string): Promise<Reply[]> {
  const rows = await db.database.query<{ headers: Record<string, string>; value: Buffer }>({
    name: 'replies',
    text: `SELECT headers, value FROM outbox WHERE topic = 'order.replies' ORDER BY seq`,
    values: [],
  });
  return rows
    .map(({ headers, value }) => ({
      ...(JSON.parse(value.toString('utf8')) as Omit<Reply, 'type' | 'traceparent'>),
      type: (headers['ce_type'] ?? '').replace(/^faultline\.participant\.(.*)\.v1$/, '$1'),
      traceparent: headers['traceparent'] ?? '',
    }))
    .filter((reply) => orderId === undefined || reply.orderId === orderId);
}
const short = (reply: Reply): string =>
  [reply.command, reply.type.replace('command-', ''), reply.reason].filter(Boolean).join(' ');
const said = async (orderId: string): Promise<string[]> => (await replies(orderId)).map(short);

async function shelf(sku: string): Promise<unknown> {
  const [row] = await db.database.query({
    name: 'shelf',
    text: 'SELECT on_hand, reserved, sold, delivered FROM stock WHERE sku = $1',
    values: [sku],
  });
  return row;
}
async function statusOf(orderId: string): Promise<unknown> {
  const [row] = await db.database.query<{ status: string }>({
    name: 'status-of',
    text: 'SELECT status FROM reservation WHERE order_id = $1',
    values: [orderId],
  });
  return row?.status;
}
async function inbox(): Promise<Record<string, number>> {
  const rows = await db.database.query<{ outcome: string; n: number }>({
    name: 'inbox-outcomes',
    text: 'SELECT outcome, count(*)::int AS n FROM inbox GROUP BY outcome',
    values: [],
  });
  return Object.fromEntries(rows.map((row) => [row.outcome, row.n]));
}

describe('a batch of stock commands', () => {
  it('is decided message by message in its order, and saved once', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    await handle()(
      [
        command(reserveStock, a, mugs(3)),
        command(reserveStock, b, mugs(3)),
        command(confirmStock, a),
        command(reserveStock, c, mugs(2)),
        command(releaseStock, c),
      ],
      control,
    );
    expect(await said(a)).toEqual(['reserve-stock done', 'confirm-stock done']);
    expect(await said(b)).toEqual(['reserve-stock refused OUT_OF_STOCK']);
    expect(await said(c)).toEqual(['reserve-stock done', 'release-stock done']);
    expect(await shelf('mug')).toEqual({ on_hand: 2, reserved: 0, sold: 3, delivered: 5 });
    expect(await inbox()).toEqual({ applied: 5 });
  });

  it('can find what an earlier one reserved, though a release names no SKU', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await handle()([command(reserveStock, a, mugs(2)), command(reserveStock, b, mugs(2))], control);
    await handle()([command(releaseStock, a), command(confirmStock, b)], control);
    await handle()([command(returnStock, b)], control);
    expect(await shelf('mug')).toEqual({ on_hand: 5, reserved: 0, sold: 0, delivered: 5 });
    expect(await statusOf(b)).toBe('RETURNED');
  });

  it('carries the trace of the command into its reply, with a span of its own', async () => {
    const a = randomUUID();
    await handle()([command(reserveStock, a, mugs(1))], control);
    expect((await replies(a))[0]?.traceparent).toMatch(/^00-(ab){16}-/);
  });

  it('leaves a journal row per command', async () => {
    const a = randomUUID();
    await handle()([command(reserveStock, a, mugs(9)), command(releaseStock, a)], control);
    const rows = await db.database.query({
      name: 'journal-rows',
      text: 'SELECT what, outcome, attempt FROM journal WHERE order_id = $1 ORDER BY id',
      values: [a],
    });
    expect(rows).toEqual([
      { what: 'reserve-stock', outcome: 'OUT_OF_STOCK', attempt: 1 },
      { what: 'release-stock', outcome: 'DONE', attempt: 1 },
    ]);
  });
});

describe('a message that comes again', () => {
  it('takes effect once and is answered once, in one batch and across batches', async () => {
    const a = randomUUID();
    const once = command(reserveStock, a, mugs(2));
    await handle()([once, { ...once, offset: '9001' }], control);
    await handle()([{ ...once, offset: '9002' }], control);
    expect(await said(a)).toEqual(['reserve-stock done']);
    expect(await shelf('mug')).toMatchObject({ reserved: 2 });
  });

  it('takes effect once when two consumers hold it at the same time', async () => {
    const a = randomUUID();
    const once = command(reserveStock, a, mugs(2));
    await Promise.all([handle()([once], control), handle()([once], control), handle()([once], control)]);
    expect(await said(a)).toEqual(['reserve-stock done']);
    expect(await shelf('mug')).toMatchObject({ reserved: 2 });
  });

  it('gets the first answer when it is a new attempt, though stock has arrived since', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await handle()([command(reserveStock, a, mugs(9)), command(reserveStock, b, mugs(1))], control);
    await new StockCommands(db.database).deliver('mug', 100, randomUUID());
    await handle()(
      [
        command(reserveStock, a, { ...mugs(9), attempt: 2 }),
        command(reserveStock, b, { ...mugs(1), attempt: 2 }),
      ],
      control,
    );
    expect(await said(a)).toEqual([
      'reserve-stock refused OUT_OF_STOCK',
      'reserve-stock refused OUT_OF_STOCK',
    ]);
    expect(await said(b)).toEqual(['reserve-stock done', 'reserve-stock done']);
    expect((await replies(b)).map((reply) => reply.attempt)).toEqual([1, 2]);
    expect(await shelf('mug')).toMatchObject({ reserved: 1 });
  });
});

describe('out of order', () => {
  it('a release that overtakes its reserve leaves a tombstone, and the late reserve is refused', async () => {
    const a = randomUUID();
    await handle()([command(releaseStock, a)], control);
    expect(await statusOf(a)).toBe('RELEASED');
    await handle()([command(releaseStock, a, { attempt: 2 }), command(reserveStock, a, mugs(1))], control);
    expect(await said(a)).toEqual([
      'release-stock done',
      'release-stock done',
      'reserve-stock refused RELEASED',
    ]);
    expect(await shelf('mug')).toMatchObject({ reserved: 0 });
  });

  it('a confirm without a reservation is refused', async () => {
    const a = randomUUID();
    await handle()([command(confirmStock, a)], control);
    expect(await said(a)).toEqual(['confirm-stock refused NOT_RESERVED']);
  });

  it('a reserve after its deadline is refused, counted as expired, and stays refused', async () => {
    const a = randomUUID();
    await handle()([command(reserveStock, a, { ...mugs(1), deadline: Date.now() - 60_000 })], control);
    expect(await inbox()).toEqual({ expired: 1 });
    await handle()(
      [command(reserveStock, a, { ...mugs(1), attempt: 2, deadline: Date.now() + 60_000 })],
      control,
    );
    expect(await said(a)).toEqual(['reserve-stock refused EXPIRED', 'reserve-stock refused EXPIRED']);
    expect(await shelf('mug')).toMatchObject({ reserved: 0 });
  });

  it('a confirm, a release and a return never expire', async () => {
    const a = randomUUID();
    const late = { deadline: Date.now() - 60_000 };
    await handle()([command(reserveStock, a, mugs(1))], control);
    await handle()(
      [command(confirmStock, a, late), command(returnStock, a, late), command(releaseStock, a, late)],
      control,
    );
    expect(await said(a)).toEqual([
      'reserve-stock done',
      'confirm-stock done',
      'return-stock done',
      'release-stock done',
    ]);
  });
});

describe('steps that run side by side', () => {
  it('sell the last five exactly once', async () => {
    const orders = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(orders.map((order) => handle()([command(reserveStock, order, mugs(1))], control)));
    const outcomes = (await replies()).map(short);
    expect(outcomes.filter((outcome) => outcome === 'reserve-stock done')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'reserve-stock refused OUT_OF_STOCK')).toHaveLength(35);
    expect(await shelf('mug')).toEqual({ on_hand: 5, reserved: 5, sold: 0, delivered: 5 });
  });

  it('neither lose nor keep anything when a reserve and its release meet', async () => {
    const orders = Array.from({ length: 30 }, () => randomUUID());
    await Promise.all(
      orders.flatMap((order) => [
        handle()([command(reserveStock, order, { lines: [{ sku: 'tea', quantity: 1 }] })], control),
        handle()([command(releaseStock, order)], control),
      ]),
    );
    expect(await shelf('tea')).toMatchObject({ on_hand: 100, reserved: 0 });
    for (const order of orders) expect(await statusOf(order)).toBe('RELEASED');
  });

  it('do not stop each other when they want the same shelves in another order', async () => {
    const both = [
      { sku: 'tea', quantity: 1 },
      { sku: 'pot', quantity: 1 },
    ];
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        handle()(
          [command(reserveStock, randomUUID(), { lines: n % 2 ? both : [...both].reverse() })],
          control,
        ),
      ),
    );
    expect(await shelf('tea')).toMatchObject({ reserved: 20 });
    expect(await shelf('pot')).toMatchObject({ reserved: 20 });
  });
});

describe('poison', () => {
  it('is dead-lettered and answered, and harms no neighbour', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    const broken = {
      ...command(reserveStock, b, mugs(1)),
      value: Buffer.from(JSON.stringify({ orderId: b, attempt: 3, lines: [] })),
    };
    const noJson = { ...command(reserveStock, randomUUID(), mugs(1)), value: Buffer.from('{') };
    await handle()(
      [command(reserveStock, a, mugs(1)), broken, noJson, command(reserveStock, c, mugs(1))],
      control,
    );
    expect(await said(a)).toEqual(['reserve-stock done']);
    expect(await said(c)).toEqual(['reserve-stock done']);
    const [answer] = await replies(b);
    expect(answer).toMatchObject({ type: 'command-dead-lettered', command: 'reserve-stock', attempt: 3 });
    const letters = await db.database.query<{ id: string }>({
      name: 'letters',
      text: 'SELECT id FROM dead_letter WHERE order_id = $1',
      values: [b],
    });
    expect(letters).toHaveLength(1);
    expect(answer).toMatchObject({ deadLetterId: letters[0]?.id });
    expect(await inbox()).toEqual({ applied: 2, 'dead-lettered': 2 });
  });

  it('that only the database recognises is found, and its neighbours take effect', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    await handle()(
      [
        command(reserveStock, a, mugs(1)),
        command(reserveStock, b, { lines: [{ sku: 'mu\u0000g', quantity: 1 }] }),
        command(reserveStock, c, mugs(1)),
      ],
      control,
    );
    expect(await said(a)).toEqual(['reserve-stock done']);
    expect(await said(c)).toEqual(['reserve-stock done']);
    expect(await said(b)).toEqual(['reserve-stock dead-lettered']);
    expect(await shelf('mug')).toMatchObject({ reserved: 2 });
  });
});
