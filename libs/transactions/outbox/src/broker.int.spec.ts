import { randomUUID } from 'node:crypto';
import type { Database, Transaction } from '@faultline/database';
import {
  type Envelope,
  ensureTopics,
  type Kafka,
  openKafka,
  openProducer,
  type Producer,
  type RunningConsumer,
  startConsumer,
} from '@faultline/messaging';
import { eventually, testBrokers, testDatabase, testTopic } from '@faultline/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  type Batch,
  BatchRecord,
  consumeInSteps,
  listDeadLetters,
  messageDecoder,
  outboxDepth,
  outboxPart,
  redrive,
  Relay,
  seenPart,
} from './index.js';
import { outboxRows } from './outbox.js';

type Note = Envelope & {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: { n: number };
};

let database: Database;
let drop: () => Promise<void>;
let kafka: Kafka;
let producer: Producer;
let relay: Relay;
let topic: string;
let consumer: RunningConsumer | undefined;

const settings = { source: '/test', partitionsOf: () => 3, now: 0 };
const type = 'faultline.test.note.v1';

beforeAll(async () => {
  ({ database, drop } = await testDatabase(new URL('../../prisma/', import.meta.url)));
  await database.pool.query('CREATE TABLE effect (nth bigserial, order_id text, n int)');
  topic = await testTopic('outbox', 3);
  kafka = openKafka({ brokers: testBrokers(), clientId: `test-${randomUUID()}` });
  await ensureTopics(kafka, [{ topic: `${topic}.dlt`, partitions: 3 }]);
  producer = openProducer(kafka);
  await producer.connect();
  relay = new Relay({ database, producer, owner: 'test', partitions: [0, 1, 2] });
  relay.start();
});
afterAll(async () => {
  await consumer?.stop();
  await relay.stop();
  await producer.close();
  await drop();
});

const send = async (orderId: string, from: number, to: number): Promise<void> => {
  const messages = Array.from({ length: to - from }, (_, index) => ({
    kind: { type, topic },
    body: { n: from + index },
    orderId,
    id: randomUUID(),
    correlationId: orderId,
    causationId: null,
    deadline: null,
    traceparent: null,
  }));
  await database.write([outboxPart(messages, settings)]);
  relay.hint();
};
const isEmpty = (): Promise<void> =>
  eventually(async () => expect((await outboxDepth(database)).depth).toBe(0), { within: 20_000 });
const effectsOf = async (orderId: string): Promise<number[]> =>
  (
    await database.pool.query<{ n: number }>('SELECT n FROM effect WHERE order_id = $1 ORDER BY nth', [
      orderId,
    ])
  ).rows.map(({ n }) => n);

const consume = (largest: number): void => {
  const body = z.object({ n: z.int().max(largest) });
  consumer = startConsumer({
    kafka,
    groupId: `outbox-${randomUUID()}`,
    instanceId: 'test',
    topics: [topic],
    handle: consumeInSteps<Note>({
      database,
      consumer: 'notes',
      decode: messageDecoder([{ type, topic, body }]),
      async step(tx: Transaction, batch: Batch<Note>) {
        const { seen = [] } = await tx.read([seenPart(batch)]);
        const record = new BatchRecord(batch, seen);
        for (const incoming of record.fresh) record.applied(incoming);
        await tx.write([
          {
            name: 'effect',
            text: 'INSERT INTO effect (order_id, n) SELECT * FROM unnest($1::text[], $2::int[]) RETURNING 1',
            values: [
              record.fresh.map(({ message }) => message.subject),
              record.fresh.map(({ message }) => message.body.n),
            ],
          },
          ...record.parts([], settings),
        ]);
      },
    }),
  });
};

describe('outbox, relay, broker, inbox', () => {
  it('carry every message once in effect, and those of an order in their order', async () => {
    const orders = Array.from({ length: 20 }, () => randomUUID());
    consume(1000);
    for (const orderId of orders) await send(orderId, 0, 20);
    const expected = Array.from({ length: 20 }, (_, n) => n);
    for (const orderId of orders) {
      await eventually(async () => expect(await effectsOf(orderId)).toEqual(expected), { within: 40_000 });
    }
    // A message is heard of before its row is deleted.
    await isEmpty();
  });

  it('take nothing twice when the whole topic is read again', async () => {
    const before = await database.pool.query('SELECT 1 FROM effect');
    await consumer?.stop();
    consume(1000);
    const orderId = randomUUID();
    await send(orderId, 0, 1);
    await eventually(async () => expect(await effectsOf(orderId)).toEqual([0]), { within: 40_000 });
    expect((await database.pool.query('SELECT 1 FROM effect')).rowCount).toBe((before.rowCount ?? 0) + 1);
  });

  it('carry a redriven dead letter to its effect', async () => {
    const orderId = randomUUID();
    await send(orderId, 5000, 5001);
    const letter = await eventually(
      async () => {
        const { items } = await listDeadLetters(database);
        const found = items.find((item) => item.orderId === orderId);
        if (!found) throw new Error('not dead-lettered yet');
        return found;
      },
      { within: 20_000 },
    );
    expect(letter.reason).toBe('INVALID_BODY');
    await consumer?.stop();
    consume(10_000);
    expect(await redrive(database, letter.id)).toBe('REDRIVEN');
    await eventually(async () => expect(await effectsOf(orderId)).toEqual([5000]), { within: 40_000 });
  });

  it('go on when the broker refuses a row for good', async () => {
    const orderId = randomUUID();
    await database.write([
      outboxRows([
        {
          id: randomUUID(),
          topic,
          partition: 0,
          key: null,
          value: Buffer.alloc(3 * 1024 * 1024),
          headers: { ce_id: randomUUID() },
        },
      ]),
    ]);
    await send(orderId, 0, 3);
    await isEmpty();
    await eventually(async () => expect(await effectsOf(orderId)).toEqual([0, 1, 2]), { within: 20_000 });
    const { items } = await listDeadLetters(database);
    expect(items[0]).toMatchObject({ consumer: 'relay', reason: 'REFUSED_BY_BROKER', offset: null });
  });
});
