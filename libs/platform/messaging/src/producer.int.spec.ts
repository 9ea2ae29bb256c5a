import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { direct, eventually, Network, newTopic, outgoing } from './a-network.spec-data.js';
import { checkTopics, ensureTopics } from './kafka.js';
import { openProducer, RefusedByBroker, type Producer } from './producer.js';

const open: Producer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()));
});

async function endsOf(topic: string): Promise<Record<number, string>> {
  const admin = direct.client.admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(topic);
    return Object.fromEntries(ends.map(({ partition, high }) => [partition, high]));
  } finally {
    await admin.disconnect();
  }
}

describe('a producer', () => {
  it('puts every record into the partition it names', async () => {
    const topic = await newTopic(3);
    const producer = openProducer(direct);
    open.push(producer);
    await producer.connect();
    await producer.send([]);
    await producer.send([outgoing(topic, 2, 'a'), outgoing(topic, 2, 'b'), outgoing(topic, 1, 'c')]);
    expect(await endsOf(topic)).toEqual({ 0: '0', 1: '1', 2: '2' });
  });

  it('tells a record that the broker will never take from a broker that is away', async () => {
    const topic = await newTopic(1);
    const wire = new Network();
    await wire.heal();
    const producer = openProducer(wire.kafka('producer'));
    open.push(producer);
    await producer.connect();
    const tooLarge = producer.send([outgoing(topic, 0, Buffer.alloc(2 * 1024 * 1024))]);
    await expect(tooLarge).rejects.toBeInstanceOf(RefusedByBroker);
    wire.cut();
    const away: unknown = await producer.send([outgoing(topic, 0, 'a')]).catch((error: unknown) => error);
    expect(away).toBeInstanceOf(Error);
    expect(away).not.toBeInstanceOf(RefusedByBroker);
    await wire.heal();
    await producer.send([outgoing(topic, 0, 'a')]);
    expect(Number((await endsOf(topic))[0])).toBeGreaterThan(0);
    await producer.close();
    wire.cut();
  });

  it('cuts what is too much for one request, in order', async () => {
    const topic = await newTopic(1);
    const producer = openProducer(direct);
    open.push(producer);
    await producer.connect();
    await producer.send(Array.from({ length: 30 }, () => outgoing(topic, 0, Buffer.alloc(100_000))));
    expect(await endsOf(topic)).toEqual({ 0: '30' });
  });
});

describe('topics', () => {
  it('are made once, whoever asks at the same time', async () => {
    const specs = [0, 1, 2, 3].map(() => ({ topic: `messaging.${randomUUID()}`, partitions: 3 }));
    await Promise.all([
      ensureTopics(direct, specs),
      ensureTopics(direct, specs),
      ensureTopics(direct, specs),
    ]);
    await eventually(async () => expect(await checkTopics(direct, specs)).toEqual([]));
  });
});
