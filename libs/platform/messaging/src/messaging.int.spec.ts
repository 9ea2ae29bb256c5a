import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  checkTopics,
  ensureTopics,
  openKafka,
  openProducer,
  RefusedByBroker,
  startConsumer,
  type ConsumerOptions,
  type Kafka,
  type OutgoingRecord,
  type Producer,
  type ReceivedRecord,
  type RunningConsumer,
} from './index.js';

const brokers = process.env['TEST_KAFKA_BROKERS'];
if (!brokers) throw new Error('TEST_KAFKA_BROKERS is not set: run this by `npm run infra:test -- <command>`');

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const kafkaOf = (clientId: string): Kafka => openKafka({ brokers: brokers.split(','), clientId });

async function newTopic(partitions = 3): Promise<string> {
  const topic = `messaging.${randomUUID()}`;
  await ensureTopics(kafkaOf('setup'), [{ topic, partitions }]);
  return topic;
}

async function producer(): Promise<Producer> {
  const made = openProducer(kafkaOf('producer'));
  await made.connect();
  open.push(made);
  return made;
}

function consumer(
  options: Pick<ConsumerOptions, 'topics' | 'handle'> & { groupId: string; instanceId?: string },
): RunningConsumer {
  const { instanceId = `instance-${randomUUID()}` } = options;
  const started = startConsumer({ ...options, instanceId, kafka: kafkaOf(instanceId) });
  open.push({ close: () => started.stop() });
  return started;
}

const record = (topic: string, partition: number, value: string): OutgoingRecord => ({
  topic,
  partition,
  key: `key-${partition}`,
  value: Buffer.from(value),
  headers: { ce_id: value },
});
const texts = (records: readonly ReceivedRecord[]): string[] => records.map(({ value }) => String(value));

async function eventually(assertion: () => void, within = 15_000): Promise<void> {
  const until = performance.now() + within;
  for (;;) {
    try {
      assertion();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe('topics', () => {
  it('are created once, and a partition count that differs is named', async () => {
    const topic = await newTopic(2);
    const kafka = kafkaOf('check');
    await ensureTopics(kafka, [{ topic, partitions: 3 }]);
    expect(await checkTopics(kafka, [{ topic, partitions: 3 }])).toEqual([{ topic, expected: 3, found: 2 }]);
    expect(await checkTopics(kafka, [{ topic, partitions: 2 }])).toEqual([]);
  });
});

describe('producing', () => {
  it('is refused for good when a record is larger than the broker takes', async () => {
    const topic = await newTopic();
    const send = (await producer()).send([record(topic, 0, 'x'.repeat(2 * 1024 * 1024))]);
    await expect(send).rejects.toBeInstanceOf(RefusedByBroker);
  });

  it('fails, and is not refused for good, for a topic that is not there', async () => {
    const error: unknown = await (
      await producer()
    )
      .send([record(`missing.${randomUUID()}`, 0, 'x')])
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(RefusedByBroker);
  });
});

describe('consuming', () => {
  it('hands over what one fetch brought from all partitions as one batch, with key, headers and bytes', async () => {
    const topic = await newTopic();
    await (await producer()).send([record(topic, 0, 'a'), record(topic, 1, 'b'), record(topic, 2, 'c')]);
    const batches: ReceivedRecord[][] = [];
    consumer({
      topics: [topic],
      groupId: topic,
      handle: async (records) => {
        batches.push([...records]);
      },
    });
    await eventually(() => expect(batches.flatMap(texts).sort()).toEqual(['a', 'b', 'c']));
    expect(batches).toHaveLength(1);
    const [a] = batches.flat().filter(({ value }) => String(value) === 'a');
    expect(a).toMatchObject({ topic, partition: 0, offset: '0', key: Buffer.from('key-0') });
    expect(String(a?.headers['ce_id'])).toBe('a');
  });

  it('repeats a batch that failed, in its order, and loses nothing', async () => {
    const topic = await newTopic(1);
    const values = Array.from({ length: 20 }, (_, index) => `message-${index}`);
    await (await producer()).send(values.map((value) => record(topic, 0, value)));
    let failures = 3;
    const handled: string[] = [];
    const tried: string[] = [];
    consumer({
      topics: [topic],
      groupId: topic,
      handle: async (records) => {
        tried.push(...texts(records));
        if (failures-- > 0) throw new Error('the database is away');
        handled.push(...texts(records));
      },
    });
    await eventually(() => expect(handled).toHaveLength(20));
    expect(handled).toEqual(values);
    expect(tried).toHaveLength(80);
  });

  it('commits no offset of what was not handled: whoever comes next gets it', async () => {
    const topic = await newTopic(1);
    await (await producer()).send([record(topic, 0, 'only')]);
    let tries = 0;
    const first = consumer({
      topics: [topic],
      groupId: topic,
      instanceId: `one-${topic}`,
      handle: async () => {
        tries += 1;
        throw new Error('never');
      },
    });
    await eventually(() => expect(tries).toBeGreaterThan(2));
    await first.stop();
    const handled: string[] = [];
    consumer({
      topics: [topic],
      groupId: topic,
      instanceId: `one-${topic}`,
      handle: async (records) => {
        handled.push(...texts(records));
      },
    });
    await eventually(() => expect(handled).toEqual(['only']));
  });

  it('goes on after what was handled when it was stopped in order', async () => {
    const topic = await newTopic(1);
    const send = await producer();
    const run = async (value: string): Promise<string[]> => {
      const handled: string[] = [];
      await send.send([record(topic, 0, value)]);
      const started = consumer({
        topics: [topic],
        groupId: topic,
        instanceId: `two-${topic}`,
        handle: async (records) => {
          handled.push(...texts(records));
        },
      });
      await eventually(() => expect(handled).toContain(value));
      await started.stop();
      return handled;
    };
    expect(await run('first')).toEqual(['first']);
    expect(await run('second')).toEqual(['second']);
  });

  it('takes the place of a predecessor that is still in the group, within two seconds', async () => {
    const topic = await newTopic(1);
    const instanceId = `three-${topic}`;
    const predecessor = consumer({
      topics: [topic],
      groupId: topic,
      instanceId,
      handle: async () => undefined,
    });
    await eventually(() => expect(predecessor.status().joined).toBe(true));
    const handled: string[] = [];
    const began = performance.now();
    const successor = consumer({
      topics: [topic],
      groupId: topic,
      instanceId,
      handle: async (records) => {
        handled.push(...texts(records));
      },
    });
    await eventually(() => expect(successor.status().assigned).toHaveLength(1));
    // A session lasts ten seconds: without static membership the successor would wait for its end.
    expect(performance.now() - began).toBeLessThan(4000);
    await predecessor.stop();
    await (await producer()).send([record(topic, 0, 'after')]);
    await eventually(() => expect(handled).toEqual(['after']));
  });

  it('shares partitions with a second instance, and every record is handled by one of them', async () => {
    const topic = await newTopic(2);
    const handled: string[] = [];
    const join = (): RunningConsumer =>
      consumer({
        topics: [topic],
        groupId: topic,
        handle: async (records) => {
          handled.push(...texts(records));
        },
      });
    const first = join();
    await eventually(() => expect(first.status().assigned).toHaveLength(2));
    const second = join();
    await eventually(() => {
      expect(first.status().assigned).toHaveLength(1);
      expect(second.status().assigned).toHaveLength(1);
    }, 20_000);
    await (await producer()).send([record(topic, 0, 'left'), record(topic, 1, 'right')]);
    await eventually(() => expect([...handled].sort()).toEqual(['left', 'right']));
  });

  it('tells how far it is behind', async () => {
    const topic = await newTopic(1);
    await (await producer()).send([record(topic, 0, 'a'), record(topic, 0, 'b')]);
    const stuck = consumer({
      topics: [topic],
      groupId: topic,
      handle: () => Promise.reject(new Error('not yet')),
    });
    await eventually(() => expect(stuck.status().lag).toBe(2));
  });
});

describe('without a broker', () => {
  it('a consumer keeps trying and can be stopped, and a producer says so', async () => {
    const kafka = openKafka({ brokers: ['127.0.0.1:1'], clientId: 'nobody' });
    const waiting = startConsumer({
      kafka,
      groupId: 'g',
      instanceId: 'i',
      topics: ['t'],
      handle: async () => undefined,
    });
    await expect(openProducer(kafka).connect()).rejects.toThrow();
    expect(waiting.status()).toMatchObject({ joined: false, assigned: [] });
    const began = performance.now();
    await waiting.stop();
    expect(performance.now() - began).toBeLessThan(8000);
  });
});
