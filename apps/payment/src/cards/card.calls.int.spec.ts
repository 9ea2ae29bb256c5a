import { randomUUID } from 'node:crypto';
import {
  authorizePayment,
  capturePayment,
  partitionsOf,
  paymentCommands,
  refundPayment,
  voidPayment,
} from '@faultline/contracts';
import { PipelineRefused } from '@faultline/resilience';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import { silentLog } from '@faultline/telemetry';
import { eventually, testDatabase } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { command, type Sent } from '../a-command.spec-data.js';
import { WalletCommands } from '../wallets/wallet.commands.js';
import { type PaymentCommand, paymentStep } from '../wallets/wallet.step.js';
import type { GatewayAnswer } from './card.js';
import { CardCalls } from './card.calls.js';
import type { CardCall } from './card-gateway.js';

type TestDatabase = Awaited<ReturnType<typeof testDatabase>>;
const control = { heartbeat: async (): Promise<void> => undefined, isCurrent: (): boolean => true };
const card: Sent = { pay: { customerId: 'ann', amount: 900, cardToken: 'card-ok' } };

/** The gateway, played by the test: each call waits until it is answered. */
interface Asked extends CardCall {
  answer(answer: GatewayAnswer): void;
  fail(error?: Error): void;
}

let db: TestDatabase;
let asked: Asked[];
let running: CardCalls[];

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
});
afterAll(() => db.drop());

beforeEach(async () => {
  asked = [];
  running = [];
  await new WalletCommands(db.database).open('ann');
});
afterEach(async () => {
  for (const each of asked) each.fail();
  await Promise.all(running.map((calls) => calls.stop()));
  await db.database.pool.query(
    'TRUNCATE wallet, "authorization", card_payment, due_work, ledger_entry, inbox, outbox, journal, dead_letter',
  );
});

function calls(owner = 'payment-1', leaseMs = 10_000, limit = 16): CardCalls {
  const made = new CardCalls({
    database: db.database,
    owner,
    leaseMs,
    limit,
    log: silentLog(),
    source: '/payment',
    partitionsOf,
    random: () => 0,
    gateway: (call) =>
      new Promise((resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(call.signal.reason as Error));
        asked.push({ ...call, answer: resolve, fail: (error = new Error('no answer')) => reject(error) });
      }),
  });
  running.push(made);
  made.start();
  return made;
}

const handle = (...records: ReturnType<typeof command>[]): Promise<void> =>
  consumeInSteps<PaymentCommand>({
    database: db.database,
    consumer: 'payment',
    decode: messageDecoder(paymentCommands),
    step: paymentStep({
      source: '/payment',
      partitionsOf,
      onCalls: () => {
        for (const each of running) each.wake();
      },
    }),
  })(records, control);

const rows = <T>(text: string, ...values: unknown[]): Promise<T[]> =>
  db.database.pool.query(text, values).then((result) => result.rows as T[]);
const said = async (orderId: string): Promise<string[]> =>
  (
    await rows<{ headers: Record<string, string>; value: Buffer }>(
      `SELECT headers, value FROM outbox WHERE topic = 'order.replies' ORDER BY seq`,
    )
  )
    .map(({ headers, value }) => ({
      ...(JSON.parse(value.toString()) as {
        orderId: string;
        command: string;
        attempt: number;
        reason?: string;
      }),
      type: headers['ce_type'] ?? '',
    }))
    .filter((reply) => reply.orderId === orderId)
    .map(({ command: name, attempt, reason }) => [name, `#${attempt}`, reason].filter(Boolean).join(' '));
const statusOf = async (orderId: string): Promise<unknown> =>
  (await rows<{ status: string }>('SELECT status FROM card_payment WHERE order_id = $1', orderId))[0]?.status;
const owed = async (): Promise<number> => (await rows('SELECT 1 FROM due_work')).length;
const journal = (orderId: string): Promise<{ what: string; outcome: string }[]> =>
  rows('SELECT what, outcome FROM journal WHERE order_id = $1 ORDER BY id', orderId);

/** Resolves when the n-th call has come. */
const nth = async (n: number): Promise<Asked> => {
  await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(n), { within: 5000, every: 5 });
  const found = asked[n - 1];
  if (!found) throw new Error('no such call');
  return found;
};
const becomes = (orderId: string, status: string): Promise<unknown> =>
  eventually(async () => expect(await statusOf(orderId)).toBe(status), { within: 5000, every: 5 });

describe('an order by card', () => {
  it('is requested durably and without an answer, before anybody is asked', async () => {
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    expect(await statusOf(a)).toBe('REQUESTED');
    expect(await said(a)).toEqual([]);
    expect(await owed()).toBe(1);
    expect(await journal(a)).toEqual([{ what: 'authorize-payment', outcome: 'WAITING' }]);
  });

  it('is asked once, and result, reply and journal are there together', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    const first = await nth(1);
    expect(first).toMatchObject({ orderId: a, call: 'authorize', attempt: 1, claim: { amount: 900 } });
    // That it is asked is on the disk before it is asked.
    expect(await rows('SELECT asked FROM card_payment')).toEqual([{ asked: true }]);
    first.answer({ authorized: true });
    await becomes(a, 'HELD');
    expect(await said(a)).toEqual(['authorize-payment #1']);
    expect(await journal(a)).toContainEqual({ what: 'authorize-payment', outcome: 'DONE' });
    expect([await owed(), asked.length]).toEqual([0, 1]);
  });

  it('is captured and refunded by calls, too, each answered when it is done', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).answer({ authorized: true });
    await becomes(a, 'HELD');
    await handle(command(capturePayment, a));
    expect(await said(a)).toEqual(['authorize-payment #1']);
    (await nth(2)).answer({ captured: true });
    await becomes(a, 'CAPTURED');
    await handle(command(refundPayment, a));
    (await nth(3)).answer({ refunded: true });
    await becomes(a, 'REFUNDED');
    expect(asked.map(({ call }) => call)).toEqual(['authorize', 'capture', 'refund']);
    expect(await said(a)).toEqual(['authorize-payment #1', 'capture-payment #1', 'refund-payment #1']);
  });

  it('beside orders by wallet is one step with them', async () => {
    const wallets = new WalletCommands(db.database);
    await wallets.deposit('ann', 1000, randomUUID());
    const [a, b] = [randomUUID(), randomUUID()];
    await handle(
      command(authorizePayment, a, card),
      command(authorizePayment, b, { pay: { customerId: 'ann', amount: 400 } }),
    );
    expect([await said(a), await said(b)]).toEqual([[], ['authorize-payment #1']]);
    const [step] = await rows<{ n: number }>('SELECT count(DISTINCT xmin::text)::int AS n FROM journal');
    expect(step?.n).toBe(1);
  });

  it('refuses an authorize that its own void has overtaken', async () => {
    const a = randomUUID();
    await handle(command(voidPayment, a));
    await handle(command(authorizePayment, a, card));
    expect(await said(a)).toEqual(['void-payment #1', 'authorize-payment #1 RELEASED']);
    expect(await owed()).toBe(0);
  });
});

describe('a call without an answer', () => {
  it('is made again, and finds out first', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail();
    const second = await nth(2);
    expect(second).toMatchObject({ call: 'resolve', attempt: 2 });
    expect(await statusOf(a)).toBe('REQUESTED');
    second.answer({ authorized: true });
    await becomes(a, 'HELD');
    expect(await said(a)).toEqual(['authorize-payment #1']);
  });

  it('is in the timeline each time the gateway was asked, and once for each reason when it was not', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail();
    (await nth(2)).fail();
    (await nth(3)).fail(new PipelineRefused('payment-gateway', 'BREAKER_OPEN', 20));
    (await nth(4)).fail(new PipelineRefused('payment-gateway', 'BREAKER_OPEN', 20));
    (await nth(5)).answer({ declined: 'no' });
    await becomes(a, 'REFUSED');
    const postponed = await rows<{ detail: { reason: string } }>(
      `SELECT detail FROM journal WHERE outcome = 'POSTPONED' ORDER BY id`,
    );
    expect(postponed.map(({ detail }) => detail.reason)).toEqual(['Error', 'Error', 'BREAKER_OPEN']);
    expect(await said(a)).toEqual(['authorize-payment #1 CARD_DECLINED']);
  });

  it('is not made again before an open breaker lets somebody through', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail(new PipelineRefused('payment-gateway', 'BREAKER_OPEN', 60_000));
    await eventually(async () => expect(await journal(a)).toHaveLength(2), { within: 5000 });
    const [lease] = await eventually(
      async () => {
        const found = await rows<{ left: number }>(
          `SELECT extract(epoch FROM lease_until - clock_timestamp())::int AS left FROM due_work`,
        );
        expect(found[0]?.left).toBeGreaterThan(30);
        return found;
      },
      { within: 5000 },
    );
    expect(lease?.left).toBeLessThanOrEqual(61);
  });

  it('of a process that died is made by another when its lease has ended, and what comes back late changes nothing', async () => {
    // One at a time: while its call hangs it takes nothing, not even its own work again.
    const first = calls('payment-1', 300, 1);
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    const dead = await nth(1);
    calls('payment-2', 60_000);
    const second = await nth(2);
    expect(second.call).toBe('resolve');
    dead.answer({ declined: 'a late and wrong answer' });
    // Whatever it does with that, it has done it when it has stopped.
    await first.stop();
    expect(await statusOf(a)).toBe('REQUESTED');
    second.answer({ authorized: true });
    await becomes(a, 'HELD');
    expect(await said(a)).toEqual(['authorize-payment #1']);
  });
});

describe('a void', () => {
  it('while the gateway is asked finds out what became of it, and voids that', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    const first = await nth(1);
    await handle(command(voidPayment, a));
    expect(await statusOf(a)).toBe('RESOLVING');
    // It arrives for a card that is not wanted any more: nothing may be held by it.
    first.answer({ authorized: true });
    const second = await nth(2);
    expect(second.call).toBe('resolve');
    second.answer({ authorized: true });
    const third = await nth(3);
    expect(third.call).toBe('void');
    expect(await said(a)).toEqual([]);
    third.answer({ voided: true });
    await becomes(a, 'VOIDED');
    expect(await said(a)).toEqual(['authorize-payment #1 RELEASED', 'void-payment #1']);
  });

  it('of what nobody was asked for asks nobody', async () => {
    const a = randomUUID();
    await handle(command(authorizePayment, a, card), command(voidPayment, a));
    calls();
    await eventually(async () => expect(await owed()).toBe(0), { within: 5000 });
    expect([await statusOf(a), asked, await said(a)]).toEqual([
      'VOIDED',
      [],
      ['void-payment #1', 'authorize-payment #1 RELEASED'],
    ]);
  });
});

describe('an authorize and its void that meet in two consumers', () => {
  it('leave nothing requested, whichever commits first', async () => {
    const orders = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(
      orders.flatMap((order) => [
        handle(command(authorizePayment, order, card)),
        handle(command(voidPayment, order)),
      ]),
    );
    const left = await rows<{ status: string; n: number }>(
      'SELECT status, count(*)::int AS n FROM card_payment GROUP BY status',
    );
    expect(left).toEqual([{ status: 'VOIDED', n: orders.length }]);
    for (const order of orders) {
      const answers = await said(order);
      expect(answers.sort()).toEqual(['authorize-payment #1 RELEASED', 'void-payment #1']);
    }
  });
});

describe('what our own pipeline refused', () => {
  it('was not asked of the gateway: a void needs no call', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail(new PipelineRefused('payment-gateway', 'BREAKER_OPEN', 60_000));
    await eventually(
      async () => expect(await rows('SELECT asked FROM card_payment')).toEqual([{ asked: false }]),
      { within: 3000 },
    );
    await handle(command(voidPayment, a));
    expect(await statusOf(a)).toBe('VOIDED');
    expect(await said(a)).toEqual(['void-payment #1', 'authorize-payment #1 RELEASED']);
    expect(asked).toHaveLength(1);
  });

  it('may have been asked when the deadline ran out: then it has to be found out', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail(new PipelineRefused('payment-gateway', 'DEADLINE_EXCEEDED'));
    expect((await nth(2)).call).toBe('resolve');
    expect(await rows('SELECT asked FROM card_payment')).toEqual([{ asked: true }]);
  });

  it('after a first call without an answer does not make that call undone', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).fail();
    (await nth(2)).fail(new PipelineRefused('payment-gateway', 'BREAKER_OPEN', 60_000));
    await eventually(async () => expect(await journal(a)).toHaveLength(3), { within: 3000 });
    expect(await rows('SELECT asked FROM card_payment')).toEqual([{ asked: true }]);
  });
});

describe('what the gateway refuses for good', () => {
  it('is answered as refused and not asked for ever: a capture', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, card));
    (await nth(1)).answer({ authorized: true });
    await becomes(a, 'HELD');
    await handle(command(capturePayment, a));
    (await nth(2)).answer({ refused: 'it is VOIDED' });
    await becomes(a, 'HELD');
    expect(await said(a)).toEqual(['authorize-payment #1', 'capture-payment #1 NOT_AUTHORIZED']);
    expect(await owed()).toBe(0);
  });
});

it('a stop waits for no slow call: what was asked is found out by whoever comes next', async () => {
  const stopped = calls('payment-1');
  const a = randomUUID();
  await handle(command(authorizePayment, a, card));
  await nth(1);
  const begun = performance.now();
  await stopped.stop();
  expect(performance.now() - begun).toBeLessThan(1500);
  calls('payment-2');
  const second = await nth(2);
  // At once, and not when the lease of the one that stopped would have ended.
  expect(performance.now() - begun).toBeLessThan(4000);
  expect(second.call).toBe('resolve');
  second.answer({ authorized: true });
  await becomes(a, 'HELD');
});

describe('the deadline of an authorize', () => {
  it('refuses it while the gateway is silent, and voids what turns up later', async () => {
    calls();
    const a = randomUUID();
    await handle(command(authorizePayment, a, { ...card, deadline: Date.now() + 300 }));
    (await nth(1)).fail(new PipelineRefused('payment-gateway', 'DEADLINE_EXCEEDED', 400));
    await becomes(a, 'RESOLVING');
    (await nth(2)).answer({ authorized: true });
    const third = await nth(3);
    // Whoever hears that it is refused may take it that nothing is held: not before the gateway has voided it.
    expect(await said(a)).toEqual([]);
    third.answer({ voided: true });
    await becomes(a, 'REFUSED');
    expect(await said(a)).toEqual(['authorize-payment #1 EXPIRED']);
    await handle(command(authorizePayment, a, { ...card, attempt: 2, deadline: Date.now() + 10_000 }));
    expect(await said(a)).toEqual(['authorize-payment #1 EXPIRED', 'authorize-payment #2 EXPIRED']);
    expect(asked.map(({ call }) => call)).toEqual(['authorize', 'resolve', 'void']);
  });
});

it('a repeated command does not disturb the call that is under way, and gets its answer', async () => {
  calls();
  const a = randomUUID();
  await handle(command(authorizePayment, a, card));
  const first = await nth(1);
  await handle(command(authorizePayment, a, { ...card, attempt: 2 }));
  first.answer({ authorized: true });
  await becomes(a, 'HELD');
  expect(await said(a)).toEqual(['authorize-payment #1', 'authorize-payment #2']);
  expect(asked).toHaveLength(1);
});

it('slow calls hold back nobody while there are slots', async () => {
  calls();
  const orders = Array.from({ length: 5 }, () => randomUUID());
  await handle(...orders.map((orderId) => command(authorizePayment, orderId, card)));
  await nth(5);
  const last = randomUUID();
  await handle(command(authorizePayment, last, card));
  (await nth(6)).answer({ authorized: true });
  await becomes(last, 'HELD');
  expect(await Promise.all(orders.map(statusOf))).toEqual(orders.map(() => 'REQUESTED'));
});
