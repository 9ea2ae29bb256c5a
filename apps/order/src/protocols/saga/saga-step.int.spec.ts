import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  commandDeadLettered,
  commandDone,
  commandRefused,
  type MessageKind,
  OrderAudit,
  OrderView,
  participantReplies,
  partitionsOf,
} from '@faultline/contracts';
import type { Database } from '@faultline/database';
import { DueWorker } from '@faultline/due-work';
import { encodeHeaders, type ReceivedRecord } from '@faultline/messaging';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import { NotAllowed, type SagaDefinition, SagaDefinitions } from '@faultline/saga';
import { eventually, testDatabase } from '@faultline/testing';
import { PrismaPg } from '@prisma/adapter-pg';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { PrismaClient } from '../../generated/client.js';
import { OrderAudits } from '../../operations/order-audit.js';
import type { Order } from '../../orders/order.js';
import { OrderQueries } from '../../orders/orders.queries.js';
import { acceptanceOn, aPlacement } from '../../orders/placements.spec-data.js';
import { UnknownSaga } from './order-sagas.js';
import { placeOrderSaga } from './place-order.saga.js';
import { SagaOperations } from './saga-operations.js';
import { startSpan } from '@faultline/telemetry';
import { dueStep, type Reply, replyStep, type SagaStepOptions } from './saga-step.js';
import { sagaDueWork } from './saga.protocol.js';
import { SagaView } from './sagas.controller.js';

let db: Awaited<ReturnType<typeof testDatabase>>;
let prisma: PrismaClient;
let queries: OrderQueries;
let operations: SagaOperations;
let audits: OrderAudits;
let offset = 0;
const announced: string[] = [];

const options: SagaStepOptions = {
  definitions: new SagaDefinitions<Order>([placeOrderSaga]),
  source: '/order',
  partitionsOf,
  newId: uuidv7,
  committed(orders) {
    announced.push(...orders.map((order) => `${order.orderId} ${order.status}`));
  },
};
const control = { heartbeat: async (): Promise<void> => undefined, isCurrent: (): boolean => true };

beforeAll(async () => {
  db = await testDatabase(new URL('../../../prisma/migrations/', import.meta.url));
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: db.url, max: 2 }) });
  queries = new OrderQueries(prisma);
  operations = new SagaOperations(db.database, prisma, options);
  audits = new OrderAudits(prisma);
});
afterAll(async () => {
  await prisma.$disconnect();
  await db.drop();
});
afterEach(async () => {
  announced.length = 0;
  await db.database.pool.query(
    'TRUNCATE orders, saga, idempotency_key, due_work, outbox, journal, inbox, dead_letter',
  );
});

/** One batch of replies, as one fetch of a replica. */
const receive = (
  records: readonly ReceivedRecord[],
  database: Database = db.database,
  stepOptions: SagaStepOptions = options,
): Promise<void> =>
  consumeInSteps<Reply>({
    database,
    consumer: 'order',
    decode: messageDecoder(participantReplies),
    step: replyStep(stepOptions),
  })(records, control);

/** An accepted order; its first two commands are not shown again. */
async function placed(customerId = 'customer-1'): Promise<string> {
  const placement = aPlacement({ customerId });
  await acceptanceOn(db.database).accept(placement);
  await db.database.pool.query('DELETE FROM outbox');
  return placement.orderId;
}

function record(kind: MessageKind, orderId: string, body: object): ReceivedRecord {
  const headers = encodeHeaders({
    id: randomUUID(),
    type: kind.type,
    source: '/inventory',
    subject: orderId,
    time: new Date().toISOString(),
    correlationId: orderId,
    causationId: randomUUID(),
    deadline: null,
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  });
  offset += 1;
  return {
    topic: kind.topic,
    partition: 0,
    offset: String(offset),
    key: Buffer.from(orderId),
    value: Buffer.from(JSON.stringify({ orderId, attempt: 1, ...body })),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  };
}
const done = (orderId: string, command: string): ReceivedRecord => record(commandDone, orderId, { command });
const refused = (orderId: string, command: string, reason: string): ReceivedRecord =>
  record(commandRefused, orderId, { command, reason, detail: `${command} refused` });
const deadLettered = (orderId: string, command: string): ReceivedRecord =>
  record(commandDeadLettered, orderId, { command, deadLetterId: randomUUID(), detail: 'no use' });
const bothDone = (orderId: string): ReceivedRecord[] => [
  done(orderId, 'reserve-stock'),
  done(orderId, 'authorize-payment'),
];
const again = (sent: ReceivedRecord): ReceivedRecord => {
  offset += 1;
  return { ...sent, offset: String(offset) };
};

/** `APPROVED/SETTLING` */
async function standing(orderId: string): Promise<string> {
  const order = await queries.find(orderId);
  if (!order) return 'unknown';
  return `${order.status}/${order.status === 'PENDING' ? 'NONE' : order.settlement}`;
}
async function sent(orderId: string): Promise<string[]> {
  const rows = await db.database.query<{ type: string; attempt: number | null }>({
    name: 'sent',
    text: `SELECT split_part(headers->>'ce_type', '.', 3) AS type,
                  (convert_from(value, 'UTF8')::jsonb->>'attempt')::int AS attempt
           FROM outbox WHERE convert_from(key, 'UTF8') = $1 AND topic NOT LIKE '%.dlt' ORDER BY seq`,
    values: [orderId],
  });
  return rows.map(({ type, attempt }) => (attempt === null ? type : `${type} #${attempt}`));
}
async function inbox(): Promise<Record<string, number>> {
  const rows = await db.database.query<{ outcome: string; n: number }>({
    name: 'inbox-outcomes',
    text: 'SELECT outcome, count(*)::int AS n FROM inbox GROUP BY outcome',
    values: [],
  });
  return Object.fromEntries(rows.map((row) => [row.outcome, row.n]));
}
const buried = (): Promise<{ reason: string; order_id: string }[]> =>
  db.database.query({ name: 'buried', text: 'SELECT reason, order_id FROM dead_letter', values: [] });
const versionOf = async (orderId: string): Promise<number | undefined> =>
  (await operations.find(orderId))?.version;
async function due(): Promise<{ key: string; fence: number }[]> {
  return db.database.query({ name: 'due', text: 'SELECT key, fence FROM due_work', values: [] });
}
async function passDeadline(orderId: string): Promise<void> {
  await db.database.pool.query(
    `UPDATE saga SET state = jsonb_set(state, '{deadline}', '1000') WHERE id = $1`,
    [orderId],
  );
  await db.database.pool.query('UPDATE due_work SET due_at = to_timestamp(1) WHERE key = $1', [orderId]);
}

describe('a batch of replies', () => {
  it('approves when both have done their part, and settles when both have followed', async () => {
    const orderId = await placed();
    await receive([done(orderId, 'reserve-stock')]);
    expect(await standing(orderId)).toBe('PENDING/NONE');
    await receive([done(orderId, 'authorize-payment')]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    await receive([done(orderId, 'confirm-stock'), done(orderId, 'capture-payment')]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLED');
    expect(await due()).toEqual([]);
    expect(await inbox()).toEqual({ applied: 4 });
    expect(announced).toEqual([`${orderId} APPROVED`, `${orderId} APPROVED`]);
  });

  it('rejects at the first refusal, undoes the other part, and settles as undone', async () => {
    const orderId = await placed();
    await receive([
      done(orderId, 'reserve-stock'),
      refused(orderId, 'authorize-payment', 'INSUFFICIENT_FUNDS'),
    ]);
    expect(await standing(orderId)).toBe('REJECTED/SETTLING');
    expect(await sent(orderId)).toEqual(['release-stock #1', 'order-rejected']);
    await receive([done(orderId, 'release-stock')]);
    expect(await standing(orderId)).toBe('REJECTED/UNDONE');
    expect(await queries.find(orderId)).toMatchObject({ rejection: { reason: 'INSUFFICIENT_FUNDS' } });
    expect(await due()).toEqual([]);
  });

  it('carries many orders, each to its own end', async () => {
    const [a, b, c] = [await placed(), await placed(), await placed()];
    await receive([
      ...bothDone(a),
      refused(b, 'reserve-stock', 'OUT_OF_STOCK'),
      done(c, 'reserve-stock'),
      done(b, 'authorize-payment'),
    ]);
    expect([await standing(a), await standing(b), await standing(c)]).toEqual([
      'APPROVED/SETTLING',
      'REJECTED/SETTLING',
      'PENDING/NONE',
    ]);
    expect(await versionOf(a)).toBe(2);
  });

  it('leaves a journal entry per reply', async () => {
    const orderId = await placed();
    await receive(bothDone(orderId));
    const rows = await db.database.query({
      name: 'journal-rows',
      text: 'SELECT what, outcome FROM journal WHERE order_id = $1 ORDER BY id',
      values: [orderId],
    });
    expect(rows).toEqual([
      { what: 'place-order', outcome: 'PENDING/NONE' },
      { what: 'reserve-stock done', outcome: 'PENDING/NONE' },
      { what: 'authorize-payment done', outcome: 'APPROVED/SETTLING' },
    ]);
  });
});

describe('a reply that comes again', () => {
  it('takes effect once in one batch', async () => {
    const orderId = await placed();
    const replies = bothDone(orderId);
    await receive([...replies, ...replies.map(again)]);
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await inbox()).toEqual({ applied: 2 });
  });

  it('takes effect once across batches, and is not a dead letter', async () => {
    const orderId = await placed();
    const replies = bothDone(orderId);
    await receive(replies);
    await receive(replies.map(again));
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await inbox()).toEqual({ applied: 2 });
    expect(await buried()).toEqual([]);
    expect(await versionOf(orderId)).toBe(2);
  });

  it('is known before anything is written: it costs its batch one transaction, and fails no neighbour', async () => {
    const [orderId, neighbour] = [await placed(), await placed()];
    const reply = done(orderId, 'reserve-stock');
    await receive([reply]);
    const { database, tried } = counting();
    await receive([again(reply), ...bothDone(neighbour)], database);
    expect(tried()).toBe(1);
    expect(await standing(neighbour)).toBe('APPROVED/SETTLING');
  });

  it('leaves no second journal entry', async () => {
    const orderId = await placed();
    const reply = done(orderId, 'reserve-stock');
    await receive([reply]);
    await receive([again(reply)]);
    const [row] = await db.database.query<{ n: number }>({
      name: 'journal-count',
      text: 'SELECT count(*)::int AS n FROM journal WHERE order_id = $1',
      values: [orderId],
    });
    expect(row?.n).toBe(2);
  });

  it('changes nothing under a new id either: the saga knows the answer', async () => {
    const orderId = await placed();
    await receive(bothDone(orderId));
    await receive(bothDone(orderId));
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await inbox()).toEqual({ applied: 4 });
  });
});

describe('two replicas on one saga', () => {
  it('come to one decision when each holds one half of it', async () => {
    const orderId = await placed();
    const [one, two] = atOnce();
    await Promise.all([
      receive([done(orderId, 'reserve-stock')], one),
      receive([done(orderId, 'authorize-payment')], two),
    ]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await inbox()).toEqual({ applied: 2 });
    expect(await versionOf(orderId)).toBe(3);
  });

  it('come to one decision when both hold the same replies', async () => {
    const orderId = await placed();
    const replies = bothDone(orderId);
    const [one, two] = atOnce();
    await Promise.all([receive(replies, one), receive(replies.map(again), two)]);
    expect(await sent(orderId)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await inbox()).toEqual({ applied: 2 });
    expect(await buried()).toEqual([]);
  });

  it('stay with the decision when the other holds a refusal of what was done', async () => {
    const orderId = await placed();
    await receive([done(orderId, 'reserve-stock')]);
    const [one, two] = atOnce();
    await Promise.all([
      receive([done(orderId, 'authorize-payment')], one),
      receive([refused(orderId, 'reserve-stock', 'OUT_OF_STOCK')], two),
    ]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
    expect(await buried()).toEqual([{ reason: 'Contradiction', order_id: orderId }]);
  });

  it('do not stop each other when their batches name the same sagas in opposite orders', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => placed()));
    await Promise.all([
      receive(ids.map((id) => done(id, 'reserve-stock'))),
      receive(ids.toReversed().map((id) => done(id, 'authorize-payment'))),
    ]);
    for (const id of ids) expect(await standing(id)).toBe('APPROVED/SETTLING');
    expect(await inbox()).toEqual({ applied: 20 });
  });
});

describe('a reply that cannot be', () => {
  it('is dead-lettered when nobody knows its order, and its neighbours take effect', async () => {
    const [orderId, stranger] = [await placed(), uuidv7()];
    const { database, tried } = counting();
    await receive([done(stranger, 'reserve-stock'), ...bothDone(orderId)], database);
    expect(tried()).toBe(1);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
    expect(await buried()).toEqual([{ reason: 'UnknownSaga', order_id: stranger }]);
    expect(await inbox()).toEqual({ applied: 2, 'dead-lettered': 1 });
  });

  it('is dead-lettered when it answers what was never sent, and the saga goes on', async () => {
    const orderId = await placed();
    await receive([
      done(orderId, 'reserve-stock'),
      done(orderId, 'confirm-stock'),
      done(orderId, 'authorize-payment'),
    ]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
    expect(await buried()).toEqual([{ reason: 'Contradiction', order_id: orderId }]);
  });

  it('is dead-lettered when its saga follows a definition that this process does not have', async () => {
    const [future, present] = [await placed(), await placed()];
    await db.database.pool.query('UPDATE saga SET definition_version = 99 WHERE id = $1', [future]);
    await receive([...bothDone(future), ...bothDone(present)]);
    expect([await standing(future), await standing(present)]).toEqual(['PENDING/NONE', 'APPROVED/SETTLING']);
    expect((await buried()).map(({ reason }) => reason)).toEqual(['UnknownDefinition', 'UnknownDefinition']);
    expect(await versionOf(future)).toBe(1);
  });
});

describe('a definition that changed while sagas were under way', () => {
  it('is followed by the new sagas alone: each goes on under the one it was started with', async () => {
    const next: SagaDefinition<Order> = {
      ...placeOrderSaga,
      version: 2,
      retriable: placeOrderSaga.retriable
        .flat()
        .reverse()
        .map((step) => [step]),
    };
    const [old, young] = [await placed(), await placed()];
    await db.database.pool.query('UPDATE saga SET definition_version = 2 WHERE id = $1', [young]);
    await receive([...bothDone(old), ...bothDone(young)], db.database, {
      ...options,
      definitions: new SagaDefinitions<Order>([next, placeOrderSaga]),
    });
    expect([await standing(old), await standing(young)]).toEqual(['APPROVED/SETTLING', 'APPROVED/SETTLING']);
    expect(await sent(old)).toEqual(['confirm-stock #1', 'capture-payment #1', 'order-approved']);
    expect(await sent(young)).toEqual(['capture-payment #1', 'order-approved']);
  });
});

describe('the deadline', () => {
  it('rejects an order that nobody answered, and undoes both parts', async () => {
    const orderId = await placed();
    await passDeadline(orderId);
    const worker = new DueWorker({
      database: db.database,
      kind: sagaDueWork,
      owner: 'order-1',
      async run(claimed) {
        (await db.database.transaction((tx) => dueStep(options)(tx, claimed, startSpan)))();
      },
    });
    worker.start();
    try {
      await eventually(async () => expect(await standing(orderId)).toBe('REJECTED/SETTLING'), {
        within: 5000,
      });
    } finally {
      await worker.stop();
    }
    expect(await queries.find(orderId)).toMatchObject({ rejection: { reason: 'TIMED_OUT' } });
    expect(await sent(orderId)).toEqual(['release-stock #1', 'void-payment #1', 'order-rejected']);
    // The compensations are repeated until they are answered.
    expect((await due()).map(({ key }) => key)).toEqual([orderId]);
    await receive([done(orderId, 'release-stock'), done(orderId, 'void-payment')]);
    expect(await standing(orderId)).toBe('REJECTED/UNDONE');
    expect(await due()).toEqual([]);
  });

  it('changes nothing when the claim was lost in between', async () => {
    const [lost, held] = [await placed(), await placed()];
    await passDeadline(lost);
    await passDeadline(held);
    const claimed = (await due()).map(({ key, fence }) => ({
      kind: sagaDueWork,
      key,
      attempt: 1,
      fence: key === lost ? fence - 1 : fence,
    }));
    await db.database.transaction((tx) => dueStep(options)(tx, claimed, startSpan));
    expect([await standing(lost), await standing(held)]).toEqual(['PENDING/NONE', 'REJECTED/SETTLING']);
    expect(await sent(lost)).toEqual([]);
    expect(await versionOf(lost)).toBe(1);
    expect((await due()).map(({ key }) => key).toSorted()).toEqual([lost, held].toSorted());
  });

  it('decides a suspended order, too', async () => {
    const orderId = await placed();
    await receive([deadLettered(orderId, 'authorize-payment')]);
    await passDeadline(orderId);
    const claimed = (await due()).map((row) => ({ ...row, kind: sagaDueWork, attempt: 1 }));
    await db.database.transaction((tx) => dueStep(options)(tx, claimed, startSpan));
    expect(await standing(orderId)).toBe('REJECTED/SETTLING');
    expect(await sent(orderId)).toContain('void-payment #1');
  });
});

describe('a suspended saga', () => {
  it('is listed, and sends the stuck command again when it is resumed', async () => {
    const orderId = await placed();
    await receive([done(orderId, 'reserve-stock'), deadLettered(orderId, 'authorize-payment')]);
    expect(await standing(orderId)).toBe('PENDING/NONE');
    expect(await audits.read()).toMatchObject({ suspended: [orderId], skipped: [] });
    expect(await operations.find(orderId)).toMatchObject({ status: 'SUSPENDED', phase: 'DECIDING' });

    await operations.ask(orderId, { type: 'resume' });
    expect(await sent(orderId)).toEqual(['authorize-payment #2']);
    expect((await audits.read()).suspended).toEqual([]);
    await receive([done(orderId, 'authorize-payment')]);
    expect(await standing(orderId)).toBe('APPROVED/SETTLING');
  });

  it('turns back when it is compensated before the decision', async () => {
    const orderId = await placed();
    await receive([done(orderId, 'reserve-stock'), deadLettered(orderId, 'authorize-payment')]);
    await operations.ask(orderId, { type: 'compensate', reason: 'gateway gone' });
    expect(await standing(orderId)).toBe('REJECTED/SETTLING');
    expect(await sent(orderId)).toEqual(['release-stock #1', 'void-payment #1', 'order-rejected']);
  });

  it('ends without the stuck step when it is skipped after the decision, and the audit names it', async () => {
    const orderId = await placed();
    await receive(bothDone(orderId));
    await receive([done(orderId, 'capture-payment'), deadLettered(orderId, 'confirm-stock')]);
    expect(await standing(orderId)).toBe('APPROVED/SUSPENDED');
    await operations.ask(orderId, { type: 'skip', reason: 'counted by hand' });
    expect(await standing(orderId)).toBe('APPROVED/SETTLED');
    expect(await audits.read()).toMatchObject({
      suspended: [],
      skipped: [{ orderId, reason: 'confirm stock: counted by hand' }],
    });
  });

  it('lists a compensation that was refused, and never loses it', async () => {
    const orderId = await placed();
    await receive([
      done(orderId, 'reserve-stock'),
      refused(orderId, 'authorize-payment', 'INSUFFICIENT_FUNDS'),
    ]);
    await receive([refused(orderId, 'release-stock', 'ALREADY_CONFIRMED')]);
    expect(await standing(orderId)).toBe('REJECTED/SUSPENDED');
    expect((await audits.read()).suspended).toEqual([orderId]);
  });

  it('cannot be asked for what its state does not allow; then nothing has changed', async () => {
    const orderId = await placed();
    await expect(operations.ask(orderId, { type: 'resume' })).rejects.toBeInstanceOf(NotAllowed);
    await receive([deadLettered(orderId, 'authorize-payment')]);
    await expect(operations.ask(orderId, { type: 'skip', reason: 'no' })).rejects.toBeInstanceOf(NotAllowed);
    await expect(operations.ask(uuidv7(), { type: 'resume' })).rejects.toBeInstanceOf(UnknownSaga);
    expect(await versionOf(orderId)).toBe(2);
    expect(await sent(orderId)).toEqual([]);
  });
});

describe('what is shown', () => {
  it('has the shape of the contract, newest first, in pages that neither repeat nor skip', async () => {
    const ids = [await placed('a'), await placed('b'), await placed('a')];
    const [first = '', second = '', third = ''] = ids;
    await receive([...bothDone(first), refused(second, 'reserve-stock', 'OUT_OF_STOCK')]);
    const all = await queries.list({ limit: 50 });
    expect(z.array(OrderView).parse(all.items)).toEqual(all.items);
    expect(all.items.map((order) => order.orderId)).toEqual([third, second, first]);
    const page = await queries.list({ limit: 2 });
    expect(page.nextCursor).toBe(second);
    const rest = await queries.list({ limit: 2, cursor: page.nextCursor ?? undefined });
    expect(rest).toMatchObject({ items: [{ orderId: first }], nextCursor: null });
    const by = async (filter: object): Promise<string[]> =>
      (await queries.list({ limit: 50, ...filter })).items.map((order) => order.orderId);
    expect(await by({ status: 'APPROVED' })).toEqual([first]);
    expect(await by({ customerId: 'a' })).toEqual([third, first]);
    expect(await by({ protocol: 'tcc' })).toEqual([]);
  });

  it('vouches in the audit for the orders that stand, and for nothing else', async () => {
    const [approved, rejected] = [await placed(), await placed(), await placed()];
    await receive([...bothDone(approved), refused(rejected, 'reserve-stock', 'OUT_OF_STOCK')]);
    const audit = await audits.read();
    expect(OrderAudit.parse(audit)).toEqual({
      orders: [
        { status: 'APPROVED', settlement: 'SETTLING', protocol: 'saga', count: 1 },
        { status: 'PENDING', settlement: 'NONE', protocol: 'saga', count: 1 },
        { status: 'REJECTED', settlement: 'SETTLING', protocol: 'saga', count: 1 },
      ],
      netAmount: { wallet: 900, card: 0 },
      netQuantities: { 'tea-green': 2 },
      suspended: [],
      skipped: [],
    });
  });

  it('lists sagas by status, in the shape that operators are promised', async () => {
    const [open, approved] = [await placed(), await placed()];
    await receive(bothDone(approved));
    const all = await operations.list({ limit: 50 });
    expect(z.array(SagaView).parse(all.items)).toEqual(all.items);
    expect(all.items.map(({ sagaId, status }) => [sagaId, status])).toEqual([
      [approved, 'COMPLETING'],
      [open, 'DECIDING'],
    ]);
    const deciding = await operations.list({ status: 'DECIDING', limit: 1 });
    expect(deciding).toMatchObject({
      items: [{ sagaId: open, version: 1, steps: { 'reserve stock': { status: 'SENT', attempt: 1 } } }],
      nextCursor: null,
    });
    expect(await operations.find(uuidv7())).toBeNull();
  });
});

/** Counts the transactions that were begun, also those that failed. */
function counting(): { readonly database: Database; tried(): number } {
  let begun = 0;
  return {
    database: {
      ...db.database,
      transaction(work) {
        begun += 1;
        return db.database.transaction(work);
      },
    },
    tried: () => begun,
  };
}

/**
 * Two replicas' databases whose first loads meet: neither goes on from its load before the other has loaded as well, or
 * stands before a lock. With the locks in place the second one stands; without them both hold the same old state.
 */
function atOnce(): [Database, Database] {
  let loads = 0;
  const met = async (): Promise<void> => {
    loads += 1;
    if (loads > 2) return;
    await eventually(async () => {
      const [row] = await db.database.query<{ waiting: number }>({
        text: `SELECT count(*)::int AS waiting FROM pg_locks
               JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()`,
      });
      if (loads < 2 && row?.waiting === 0) throw new Error('the other replica has not come yet');
    });
  };
  const replica = (): Database => ({
    ...db.database,
    transaction: (work) =>
      db.database.transaction((tx) =>
        work({
          ...tx,
          async read(parts) {
            const rows = await tx.read(parts);
            await met();
            return rows;
          },
        }),
      ),
  });
  return [replica(), replica()];
}
