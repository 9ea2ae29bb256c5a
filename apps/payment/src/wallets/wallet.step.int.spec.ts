import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  authorizePayment,
  capturePayment,
  partitionsOf,
  paymentCommands,
  refundPayment,
  voidPayment,
} from '@faultline/contracts';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import { testDatabase } from '@faultline/testing';
import { command, type Sent } from '../a-command.spec-data.js';
import { WalletCommands } from './wallet.commands.js';
import { type PaymentCommand, paymentStep } from './wallet.step.js';

type TestDatabase = Awaited<ReturnType<typeof testDatabase>>;

let db: TestDatabase;
const consumer = 'payment';
const control = { heartbeat: async (): Promise<void> => undefined, isCurrent: (): boolean => true };

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
});
afterAll(() => db.drop());

beforeEach(async () => {
  const wallets = new WalletCommands(db.database);
  for (const [customer, amount] of [
    ['ann', 100],
    ['ben', 1000],
  ] as const) {
    await wallets.open(customer);
    await wallets.deposit(customer, amount, randomUUID());
  }
  await wallets.open('poor');
});

// Whatever a test did, wallets, authorizations and ledger must tell the same story, and the ledger sums to zero.
afterEach(async () => {
  try {
    const rows = await db.database.query<{
      customer: string;
      held: number;
      balance: number;
      claimed: number;
      ledger: number;
    }>({
      name: 'sums',
      text: `SELECT customer_id AS customer, held, balance,
      (SELECT coalesce(sum(amount), 0)::bigint FROM "authorization" a WHERE status = 'HELD' AND a.customer_id = wallet.customer_id) AS claimed,
      (SELECT coalesce(sum(amount), 0)::bigint FROM ledger_entry WHERE account = 'wallet:' || wallet.customer_id) AS ledger
    FROM wallet`,
      values: [],
    });
    for (const row of rows)
      expect([row.customer, row.held, row.balance]).toEqual([row.customer, row.claimed, row.ledger]);
    const [ledger] = await db.database.query<{ sum: number }>({
      name: 'ledger-sum',
      text: 'SELECT coalesce(sum(amount), 0)::bigint AS sum FROM ledger_entry',
      values: [],
    });
    expect(ledger?.sum).toBe(0);
  } finally {
    await db.database.pool.query(
      'TRUNCATE wallet, "authorization", ledger_entry, inbox, outbox, journal, dead_letter, idempotency_key',
    );
  }
});

const handle = () =>
  consumeInSteps<PaymentCommand>({
    database: db.database,
    consumer,
    decode: messageDecoder(paymentCommands),
    step: paymentStep({ source: '/payment', partitionsOf }),
  });

const ann = (amount: number): Sent => ({ pay: { customerId: 'ann', amount } });
const ben = (amount: number): Sent => ({ pay: { customerId: 'ben', amount } });

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

async function wallet(customer: string): Promise<unknown> {
  const [row] = await db.database.query({
    name: 'wallet-of',
    text: 'SELECT balance, held, deposited, captured, refunded FROM wallet WHERE customer_id = $1',
    values: [customer],
  });
  return row;
}
async function statusOf(orderId: string): Promise<unknown> {
  const [row] = await db.database.query<{ status: string }>({
    name: 'status-of',
    text: 'SELECT status FROM "authorization" WHERE order_id = $1',
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

describe('a batch of payment commands', () => {
  it('is decided message by message in its order, and saved once', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    await handle()(
      [
        command(authorizePayment, a, ann(60)),
        command(authorizePayment, b, ann(60)),
        command(capturePayment, a),
        command(authorizePayment, c, ann(40)),
        command(voidPayment, c),
      ],
      control,
    );
    expect(await said(a)).toEqual(['authorize-payment done', 'capture-payment done']);
    expect(await said(b)).toEqual(['authorize-payment refused INSUFFICIENT_FUNDS']);
    expect(await said(c)).toEqual(['authorize-payment done', 'void-payment done']);
    expect(await wallet('ann')).toEqual({ balance: 40, held: 0, deposited: 100, captured: 60, refunded: 0 });
    expect(await inbox()).toEqual({ applied: 5 });
  });

  it('can find what an earlier one held, though a void names no customer', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await handle()([command(authorizePayment, a, ann(20)), command(authorizePayment, b, ann(20))], control);
    await handle()([command(voidPayment, a), command(capturePayment, b)], control);
    await handle()([command(refundPayment, b)], control);
    expect(await wallet('ann')).toEqual({
      balance: 100,
      held: 0,
      deposited: 100,
      captured: 20,
      refunded: 20,
    });
    expect(await statusOf(b)).toBe('REFUNDED');
  });

  it('posts two rows that cancel out for each capture and refund, and none for a hold', async () => {
    const a = randomUUID();
    await handle()(
      [command(authorizePayment, a, ann(20)), command(capturePayment, a), command(refundPayment, a)],
      control,
    );
    const rows = await db.database.query({
      name: 'ledger-of',
      text: 'SELECT account, kind, amount FROM ledger_entry WHERE order_id = $1 ORDER BY id',
      values: [a],
    });
    expect(rows).toEqual([
      { account: 'wallet:ann', kind: 'CAPTURE', amount: -20 },
      { account: 'sales', kind: 'CAPTURE', amount: 20 },
      { account: 'sales', kind: 'REFUND', amount: -20 },
      { account: 'wallet:ann', kind: 'REFUND', amount: 20 },
    ]);
  });

  it('refuses each for its own reason', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await handle()(
      [
        command(authorizePayment, a, { pay: { customerId: 'poor', amount: 1 } }),
        command(authorizePayment, b, { pay: { customerId: 'nobody', amount: 1 } }),
      ],
      control,
    );
    expect(await said(a)).toEqual(['authorize-payment refused INSUFFICIENT_FUNDS']);
    expect(await said(b)).toEqual(['authorize-payment refused UNKNOWN_CUSTOMER']);
    expect(await wallet('ann')).toMatchObject({ held: 0 });
  });

  it('dead-letters what would build on a wallet that does not add up, and leaves the wallet alone', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await db.database.pool.query('ALTER TABLE wallet DROP CONSTRAINT wallet_nothing_lost');
    try {
      await db.database.pool.query(`UPDATE wallet SET balance = balance + 1 WHERE customer_id = 'ann'`);
      await handle()([command(authorizePayment, a, ann(1)), command(authorizePayment, b, ben(1))], control);
    } finally {
      await db.database.pool.query(`UPDATE wallet SET balance = balance - 1 WHERE customer_id = 'ann'`);
      await db.database.pool.query(
        'ALTER TABLE wallet ADD CONSTRAINT wallet_nothing_lost CHECK (balance = deposited - captured + refunded)',
      );
    }
    expect(await said(a)).toEqual(['authorize-payment dead-lettered']);
    expect(await said(b)).toEqual(['authorize-payment done']);
    expect(await wallet('ann')).toMatchObject({ balance: 100, held: 0 });
  });
});

describe('a message that comes again', () => {
  it('takes effect once and is answered once, in one batch and across batches', async () => {
    const a = randomUUID();
    const once = command(authorizePayment, a, ann(20));
    await handle()([once, { ...once, offset: '9001' }], control);
    await handle()([{ ...once, offset: '9002' }], control);
    expect(await said(a)).toEqual(['authorize-payment done']);
    expect(await wallet('ann')).toMatchObject({ held: 20 });
  });

  it('takes effect once when two consumers hold it at the same time', async () => {
    const a = randomUUID();
    await handle()([command(authorizePayment, a, ann(20))], control);
    const once = command(capturePayment, a);
    await Promise.all([handle()([once], control), handle()([once], control), handle()([once], control)]);
    expect(await said(a)).toEqual(['authorize-payment done', 'capture-payment done']);
    expect(await wallet('ann')).toMatchObject({ balance: 80, captured: 20 });
  });

  it('gets the first answer when it is a new attempt, though money has arrived since', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    await handle()([command(authorizePayment, a, ann(500)), command(authorizePayment, b, ann(10))], control);
    await new WalletCommands(db.database).deposit('ann', 1000, randomUUID());
    await handle()(
      [
        command(authorizePayment, a, { ...ann(500), attempt: 2 }),
        command(authorizePayment, b, { ...ann(10), attempt: 2 }),
      ],
      control,
    );
    expect(await said(a)).toEqual([
      'authorize-payment refused INSUFFICIENT_FUNDS',
      'authorize-payment refused INSUFFICIENT_FUNDS',
    ]);
    expect((await replies(b)).map((reply) => reply.attempt)).toEqual([1, 2]);
    expect(await wallet('ann')).toMatchObject({ held: 10 });
  });

  it('charges once when capture comes as two attempts', async () => {
    const a = randomUUID();
    await handle()(
      [
        command(authorizePayment, a, ann(20)),
        command(capturePayment, a),
        command(capturePayment, a, { attempt: 2 }),
      ],
      control,
    );
    expect(await wallet('ann')).toMatchObject({ balance: 80, captured: 20 });
  });
});

describe('out of order', () => {
  it('a void that overtakes its authorize leaves a tombstone, and the late authorize is refused', async () => {
    const a = randomUUID();
    await handle()([command(voidPayment, a)], control);
    expect(await statusOf(a)).toBe('VOIDED');
    await handle()([command(voidPayment, a, { attempt: 2 }), command(authorizePayment, a, ann(1))], control);
    expect(await said(a)).toEqual([
      'void-payment done',
      'void-payment done',
      'authorize-payment refused RELEASED',
    ]);
    expect(await wallet('ann')).toMatchObject({ held: 0 });
  });

  it('a capture without a hold is refused', async () => {
    const a = randomUUID();
    await handle()([command(capturePayment, a)], control);
    expect(await said(a)).toEqual(['capture-payment refused NOT_AUTHORIZED']);
  });

  it('an authorize after its deadline is refused, counted as expired, and stays refused', async () => {
    const a = randomUUID();
    await handle()([command(authorizePayment, a, { ...ann(1), deadline: Date.now() - 60_000 })], control);
    expect(await inbox()).toEqual({ expired: 1 });
    await handle()(
      [command(authorizePayment, a, { ...ann(1), attempt: 2, deadline: Date.now() + 60_000 })],
      control,
    );
    expect(await said(a)).toEqual(['authorize-payment refused EXPIRED', 'authorize-payment refused EXPIRED']);
    expect(await wallet('ann')).toMatchObject({ held: 0 });
  });
});

describe('steps that run side by side', () => {
  it('spend the last hundred exactly once', async () => {
    const orders = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(orders.map((order) => handle()([command(authorizePayment, order, ann(20))], control)));
    const outcomes = (await replies()).map(short);
    expect(outcomes.filter((outcome) => outcome === 'authorize-payment done')).toHaveLength(5);
    expect(
      outcomes.filter((outcome) => outcome === 'authorize-payment refused INSUFFICIENT_FUNDS'),
    ).toHaveLength(35);
    expect(await wallet('ann')).toMatchObject({ balance: 100, held: 100 });
  });

  it('neither lose nor keep anything when an authorize and its void meet', async () => {
    const orders = Array.from({ length: 30 }, () => randomUUID());
    await Promise.all(
      orders.flatMap((order) => [
        handle()([command(authorizePayment, order, ben(1))], control),
        handle()([command(voidPayment, order)], control),
      ]),
    );
    expect(await wallet('ben')).toMatchObject({ balance: 1000, held: 0 });
    for (const order of orders) expect(await statusOf(order)).toBe('VOIDED');
  });

  it('and deposits neither lose money nor stop each other', async () => {
    const wallets = new WalletCommands(db.database);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const order = randomUUID();
        await Promise.all([
          handle()([command(authorizePayment, order, ben(10)), command(capturePayment, order)], control),
          wallets.deposit('ben', 7, randomUUID()),
        ]);
      }),
    );
    expect(await wallet('ben')).toEqual({
      balance: 940,
      held: 0,
      deposited: 1140,
      captured: 200,
      refunded: 0,
    });
  });
});

describe('poison', () => {
  it('is dead-lettered and answered, and harms no neighbour', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    const broken = {
      ...command(authorizePayment, b, ann(1)),
      value: Buffer.from(JSON.stringify({ orderId: b, attempt: 3, amount: -5 })),
    };
    const noJson = { ...command(authorizePayment, randomUUID(), ann(1)), value: Buffer.from('{') };
    await handle()(
      [command(authorizePayment, a, ann(1)), broken, noJson, command(authorizePayment, c, ann(1))],
      control,
    );
    expect(await said(a)).toEqual(['authorize-payment done']);
    expect(await said(c)).toEqual(['authorize-payment done']);
    expect((await replies(b))[0]).toMatchObject({
      type: 'command-dead-lettered',
      command: 'authorize-payment',
      attempt: 3,
    });
    expect(await inbox()).toEqual({ applied: 2, 'dead-lettered': 2 });
  });

  it('that only the database recognises is found, and its neighbours take effect', async () => {
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    await handle()(
      [
        command(authorizePayment, a, ann(1)),
        command(authorizePayment, b, { pay: { customerId: 'an\u0000n', amount: 1 } }),
        command(authorizePayment, c, ann(1)),
      ],
      control,
    );
    expect(await said(a)).toEqual(['authorize-payment done']);
    expect(await said(c)).toEqual(['authorize-payment done']);
    expect(await said(b)).toEqual(['authorize-payment dead-lettered']);
    expect(await wallet('ann')).toMatchObject({ held: 2 });
  });
});
