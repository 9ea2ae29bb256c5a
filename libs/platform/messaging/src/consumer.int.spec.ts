import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  committedOf,
  direct,
  eventually,
  membersOf,
  Network,
  newTopic,
  outgoing,
  send,
  textOf,
} from './a-network.spec-data.js';
import { startConsumer, type ConsumerOptions, type Rhythm, type RunningConsumer } from './consumer.js';

jest.setTimeout(90_000);

const running: RunningConsumer[] = [];
const networks: Network[] = [];
const setTimer = globalThis.setTimeout;
let earliest = 0;
beforeAll(() => {
  const watched = (callback: () => void, delay?: number): NodeJS.Timeout => {
    earliest = Math.min(earliest, delay ?? 0);
    return setTimer(callback, delay);
  };
  globalThis.setTimeout = Object.assign(watched, setTimer);
});
afterEach(async () => {
  const harmed = networks.splice(0);
  for (const network of harmed) {
    network.thaw();
    await network.heal();
  }
  await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
  for (const network of harmed) network.cut();
});
afterAll(() => {
  globalThis.setTimeout = setTimer;
  // tulios/kafkajs#1751: Node 24 warns of every negative one.
  expect(earliest).toBe(0);
});

async function network(): Promise<Network> {
  const made = new Network();
  networks.push(made);
  await made.heal();
  return made;
}

function consume(
  topic: string,
  handle: ConsumerOptions['handle'],
  options: Partial<ConsumerOptions> = {},
  rhythm: Partial<Rhythm> = {},
): RunningConsumer {
  const consumer = startConsumer(
    { kafka: direct, groupId: topic, instanceId: 'instance-1', topics: [topic], handle, ...options },
    { commitEvery: 1000, lookEvery: 5000, silentFor: 15_000, joinWithin: 40_000, ...rhythm },
  );
  running.push(consumer);
  return consumer;
}

const joined = (consumer: RunningConsumer): Promise<void> =>
  eventually(() => expect(consumer.status().joined).toBe(true), { within: 20_000 });

/** A handler that keeps what came, batch by batch. */
function collector(): { batches: string[][]; handle: ConsumerOptions['handle']; all(): string[] } {
  const batches: string[][] = [];
  return {
    batches,
    async handle(records) {
      batches.push(records.map(textOf));
    },
    all: () => batches.flat(),
  };
}

describe('a consumer', () => {
  it('repeats a batch whose handler throws, in order, and loses and resolves nothing meanwhile', async () => {
    const topic = await newTopic(1);
    await send(['a', 'b', 'c'].map((value) => outgoing(topic, 0, value)));
    const tried: string[][] = [];
    const handled: string[] = [];
    const consumer = consume(topic, async (records) => {
      tried.push(records.map(textOf));
      if (tried.length < 4) {
        expect(await committedOf(topic, topic)).toEqual({ 0: '-1' });
        throw new Error('database away');
      }
      handled.push(...records.map(textOf));
    });
    await eventually(() => expect(handled).toEqual(['a', 'b', 'c']));
    expect(tried.slice(0, 3)).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    await send([outgoing(topic, 0, 'd')]);
    await eventually(() => expect(handled).toEqual(['a', 'b', 'c', 'd']));
    await eventually(async () => expect(await committedOf(topic, topic)).toEqual({ 0: '4' }));
    expect(consumer.status()).toMatchObject({ joined: true, assigned: [{ topic, partition: 0 }] });
  });

  it('commits at its stop what it has handled, so that the next one repeats nothing', async () => {
    const topic = await newTopic(1);
    const first = collector();
    const consumer = consume(topic, first.handle, {}, { commitEvery: 3_600_000 });
    await send([outgoing(topic, 0, 'a')]);
    await eventually(() => expect(first.all()).toEqual(['a']));
    await consumer.stop();
    expect(await committedOf(topic, topic)).toEqual({ 0: '1' });
    expect(await membersOf(topic)).toEqual([]);

    await send([outgoing(topic, 0, 'b')]);
    const second = collector();
    consume(topic, second.handle);
    await eventually(() => expect(second.all()).toEqual(['b']));
  });

  it('lets the batch under way finish before it stops', async () => {
    const topic = await newTopic(1);
    await send([outgoing(topic, 0, 'a')]);
    let begun = false;
    let finish: () => void = () => undefined;
    const consumer = consume(topic, async () => {
      begun = true;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    await eventually(() => expect(begun).toBe(true));
    const stopped = consumer.stop();
    finish();
    await stopped;
    expect(await committedOf(topic, topic)).toEqual({ 0: '1' });
  });

  it('killed before its commit, leaves what it handled to its successor, which takes its place at once', async () => {
    const topic = await newTopic(3);
    const wire = await network();
    const first = collector();
    const victim = consume(topic, first.handle, { kafka: wire.kafka('victim') }, { commitEvery: 3_600_000 });
    await joined(victim);
    await send([outgoing(topic, 0, 'a'), outgoing(topic, 1, 'b')]);
    await eventually(() => expect(first.all().toSorted()).toEqual(['a', 'b']));
    expect(await committedOf(topic, topic)).toEqual({ 0: '-1', 1: '-1', 2: '-1' });

    wire.cut();
    const killedAt = performance.now();
    const second = collector();
    consume(topic, second.handle);
    await eventually(() => expect(second.all().toSorted()).toEqual(['a', 'b']));
    // Its session would have held the partitions for 10 s.
    expect(performance.now() - killedAt).toBeLessThan(4000);
  });

  it('without the instance id of the dead one waits for the end of its session', async () => {
    const topic = await newTopic(1);
    const wire = await network();
    const victim = consume(topic, collector().handle, { kafka: wire.kafka('victim') });
    await joined(victim);
    wire.cut();
    const killedAt = performance.now();
    await send([outgoing(topic, 0, 'a')]);
    const second = collector();
    consume(topic, second.handle, { instanceId: 'instance-2' });
    await eventually(() => expect(second.all()).toEqual(['a']), { within: 30_000 });
    expect(performance.now() - killedAt).toBeGreaterThan(5000);
  });

  it('keeps its membership while a batch takes longer than its session', async () => {
    const topic = await newTopic(1);
    const consumer = consume(topic, async (records) => {
      batches.push(records.map(textOf));
      if (batches.length === 1) await new Promise((resolve) => setTimeout(resolve, 13_000));
    });
    const batches: string[][] = [];
    await joined(consumer);
    const members = await membersOf(topic);
    await send([outgoing(topic, 0, 'a')]);
    await eventually(async () => expect(await committedOf(topic, topic)).toEqual({ 0: '1' }), {
      within: 30_000,
    });
    expect(batches).toEqual([['a']]);
    // A member that was put out and came again has another id.
    expect(await membersOf(topic)).toEqual(members);
    expect(members).toHaveLength(1);
    expect(consumer.status().joined).toBe(true);
  });

  it('shares the partitions with a second instance that comes in the middle of a batch, and nothing is lost', async () => {
    const topic = await newTopic(3);
    const handledBy: Record<string, string[]> = { one: [], two: [] };
    let entered = 0;
    const slow =
      (who: string): ConsumerOptions['handle'] =>
      async (records) => {
        entered += 1;
        await new Promise((resolve) => setTimeout(resolve, 400));
        handledBy[who]?.push(...records.map(textOf));
      };
    const one = consume(topic, slow('one'), { instanceId: 'one' });
    await joined(one);
    const expected: string[] = [];
    const sendRound = async (round: number): Promise<void> => {
      const values = [0, 1, 2].map((partition) => `${partition}-${round}`);
      expected.push(...values);
      await send(values.map((value, partition) => outgoing(topic, partition, value)));
    };
    await sendRound(0);
    await eventually(() => expect(entered).toBeGreaterThan(0));
    const two = consume(topic, slow('two'), { instanceId: 'two' });
    for (let round = 1; round <= 20; round++) await sendRound(round);
    await eventually(
      () => {
        expect(one.status().assigned.length + two.status().assigned.length).toBe(3);
        expect(two.status().assigned.length).toBeGreaterThan(0);
      },
      { within: 30_000 },
    );
    for (let round = 21; round <= 24; round++) await sendRound(round);
    await eventually(
      () =>
        expect(new Set([...(handledBy['one'] ?? []), ...(handledBy['two'] ?? [])])).toEqual(
          new Set(expected),
        ),
      { within: 30_000 },
    );
    expect(handledBy['two']?.length).toBeGreaterThan(0);
    for (const handled of Object.values(handledBy)) {
      for (const partition of [0, 1, 2]) {
        // A rebalance may bring some again, from an earlier place on; first deliveries stay in order.
        const rounds = [...new Set(handled)]
          .filter((value) => value.startsWith(`${partition}-`))
          .map((value) => Number(value.slice(2)));
        expect(rounds).toEqual(rounds.toSorted((a, b) => a - b));
      }
    }
  });

  it('gives a batch back when the group moves on while its handler keeps failing', async () => {
    const topic = await newTopic(1);
    await send([outgoing(topic, 0, 'a')]);
    let attempts = 0;
    const one = consume(
      topic,
      () => {
        attempts += 1;
        return Promise.reject(new Error('database away'));
      },
      { instanceId: 'one' },
    );
    await eventually(() => expect(attempts).toBeGreaterThan(2));
    const two = consume(topic, collector().handle, { instanceId: 'two' });
    const cameAt = performance.now();
    // Both are in the group, whoever has the partition: the failing one took part in the rebalance.
    await eventually(() => {
      expect(one.status().joined && two.status().joined).toBe(true);
      expect(one.status().assigned.length + two.status().assigned.length).toBe(1);
    });
    // Otherwise the newcomer would wait for the rebalance timeout, 10 s.
    expect(performance.now() - cameAt).toBeLessThan(8000);
  });

  it('starts without a broker, and begins when it appears', async () => {
    const topic = await newTopic(1);
    await send([outgoing(topic, 0, 'a')]);
    const wire = new Network();
    networks.push(wire);
    const got = collector();
    const said: string[] = [];
    const log = {
      info: () => undefined,
      warn: (_: object, message: string) => void said.push(message),
      error: () => undefined,
    };
    const consumer = consume(topic, got.handle, { kafka: wire.kafka('early'), log });
    await eventually(() =>
      expect(said.filter((each) => each.includes('keeps trying')).length).toBeGreaterThan(1),
    );
    expect(consumer.status()).toEqual({ joined: false, lag: 0, assigned: [], lastReceivedAt: null });
    await wire.heal();
    await eventually(() => expect(got.all()).toEqual(['a']));
  });

  it('goes on when the broker was away for some seconds', async () => {
    const topic = await newTopic(3);
    const wire = await network();
    const got = collector();
    const consumer = consume(topic, got.handle, { kafka: wire.kafka('patient') });
    await joined(consumer);
    await send([outgoing(topic, 0, 'before')]);
    await eventually(() => expect(got.all()).toEqual(['before']));
    wire.cut();
    await send([outgoing(topic, 0, 'meanwhile'), outgoing(topic, 2, 'meanwhile too')]);
    await eventually(() => expect(consumer.status().joined).toBe(false), { within: 20_000 });
    await wire.heal();
    await eventually(() => expect(new Set(got.all()).size).toBe(3), { within: 10_000 });
  });

  it('goes on when the broker was frozen for longer than its requests wait', async () => {
    const topic = await newTopic(1);
    const wire = await network();
    const got = collector();
    const consumer = consume(topic, got.handle, { kafka: wire.kafka('patient') });
    await joined(consumer);
    wire.freeze();
    await send([outgoing(topic, 0, 'meanwhile')]);
    await new Promise((resolve) => setTimeout(resolve, 14_000));
    expect(got.all()).toEqual([]);
    wire.thaw();
    // Perhaps twice: what was fetched before the connection was given up still arrives.
    await eventually(() => expect(new Set(got.all())).toEqual(new Set(['meanwhile'])), { within: 20_000 });
  });

  it('stops within seconds while the broker is away or frozen', async () => {
    const topic = await newTopic(1);
    for (const harm of ['cut', 'freeze'] as const) {
      const wire = await network();
      const consumer = consume(topic, collector().handle, { kafka: wire.kafka('stopped') });
      await joined(consumer);
      wire[harm]();
      const at = performance.now();
      await consumer.stop();
      expect(performance.now() - at).toBeLessThan(5000);
    }
  });

  it('that is stopped while it joins does not stay in the group', async () => {
    const topic = await newTopic(1);
    const got = collector();
    for (const delay of [0, 20, 60, 150, 400]) {
      const consumer = consume(topic, got.handle, { instanceId: randomUUID() });
      await new Promise((resolve) => setTimeout(resolve, delay));
      await consumer.stop();
    }
    await eventually(async () => expect(await membersOf(topic)).toEqual([]), { within: 20_000 });
    await send([outgoing(topic, 0, 'a')]);
    expect(got.all()).toEqual([]);
  });

  it('measures its lag, and tells when it received last', async () => {
    const topic = await newTopic(1);
    await send([outgoing(topic, 0, 'a')]);
    let finish: () => void = () => undefined;
    const consumer = consume(
      topic,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      {},
      { lookEvery: 100 },
    );
    await eventually(() => expect(consumer.status().lastReceivedAt).not.toBeNull());
    await send([outgoing(topic, 0, 'b'), outgoing(topic, 0, 'c')]);
    await eventually(() => expect(consumer.status().lag).toBe(3));
    await eventually(() => {
      finish();
      expect(consumer.status().lag).toBe(0);
    });
  });
});

interface ConsumerGroupClass {
  readonly prototype: { fetch(nodeId: number): Promise<unknown[]> };
}
const inside = createRequire(import.meta.url)('kafkajs/src/consumer/consumerGroup') as ConsumerGroupClass;

describe('a consumer that kafkajs has given up', () => {
  const fetch = inside.prototype.fetch;
  afterEach(() => {
    inside.prototype.fetch = fetch;
  });

  it('and that is joined, lags and receives nothing, is built anew', async () => {
    const topic = await newTopic(1);
    const got = collector();
    const deaf = new Set<unknown>();
    inside.prototype.fetch = async function fetchNothing(this: unknown, nodeId: number) {
      if (deaf.size === 0) deaf.add(this);
      if (!deaf.has(this)) return fetch.call(this as ConsumerGroupClass['prototype'], nodeId);
      await new Promise((resolve) => setTimeout(resolve, 50));
      return [];
    };
    const consumer = consume(topic, got.handle, {}, { lookEvery: 200, silentFor: 1500 });
    await joined(consumer);
    await send([outgoing(topic, 0, 'a')]);
    await eventually(() => expect(got.all()).toEqual(['a']), { within: 15_000 });
    expect(consumer.status().joined).toBe(true);
  });

  it('is built anew when it crashes', async () => {
    const topic = await newTopic(1);
    const got = collector();
    const doomed = new Set<unknown>();
    inside.prototype.fetch = async function fetchOrCrash(this: unknown, nodeId: number) {
      if (doomed.size === 0) doomed.add(this);
      if (!doomed.has(this)) return fetch.call(this as ConsumerGroupClass['prototype'], nodeId);
      throw Object.assign(new Error('invariant violated'), { retriable: false });
    };
    consume(topic, got.handle);
    await send([outgoing(topic, 0, 'a')]);
    await eventually(() => expect(got.all()).toEqual(['a']), { within: 15_000 });
    expect(doomed.size).toBe(1);
  });
});
