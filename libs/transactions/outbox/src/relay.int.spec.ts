import { randomUUID } from 'node:crypto';
import type { Database } from '@faultline/database';
import { type OutgoingRecord, partitionFor, type Producer, RefusedByBroker } from '@faultline/messaging';
import { eventually, testDatabase } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  MessageTooLarge,
  outboxDepth,
  outboxPart,
  type OutgoingMessage,
  Relay,
  type RelayOptions,
} from './index.js';
import { Leases } from './lease.js';
import { settle, settleAndTake, takeWaiting } from './waiting.js';

let database: Database;
let url: string;
let drop: () => Promise<void>;
const relays: Relay[] = [];

beforeAll(async () => {
  ({ database, url, drop } = await testDatabase(new URL('../../prisma/', import.meta.url)));
});
beforeEach(() =>
  database.pool.query('TRUNCATE outbox, relay_lease, relay_member, dead_letter RESTART IDENTITY'),
);
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.stop())));
afterAll(() => drop());

const settings = { source: '/test', partitionsOf: () => 3, now: Date.parse('2026-01-01T00:00:00Z') };
const message = (body: unknown, orderId: string = randomUUID()): OutgoingMessage => ({
  kind: { type: 'faultline.test.happened.v1', topic: 'events' },
  body,
  orderId,
  id: randomUUID(),
  correlationId: orderId,
  causationId: null,
  deadline: null,
  traceparent: null,
});
const put = async (...bodies: unknown[]): Promise<void> => {
  await database.write([
    outboxPart(
      bodies.map((body) => message(body)),
      settings,
    ),
  ]);
};
const bodyOf = (record: OutgoingRecord): unknown => JSON.parse(record.value?.toString() ?? 'null');
const depth = async (): Promise<number> => (await outboxDepth(database)).depth;
const isEmpty = (): Promise<void> => eventually(async () => expect(await depth()).toBe(0), { within: 8000 });
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, nth) => from + nth);
/** Until when a relay counts as living, in milliseconds of the database's clock. */
const lastSeen = async (owner: string): Promise<number> => {
  const { rows } = await database.pool.query<{ until: Date }>(
    'SELECT until FROM relay_member WHERE owner = $1',
    [owner],
  );
  return rows[0]?.until.getTime() ?? 0;
};
/** An order whose messages go to this partition. */
const orderOf = (partition: number): string => {
  for (;;) {
    const orderId = randomUUID();
    if (partitionFor(orderId, 3) === partition) return orderId;
  }
};
const unique = (values: unknown[]): unknown[] => [...new Set(values)];

/** A broker in memory. `before` and `after` stand for what can go wrong on either side of its acceptance. */
class FakeBroker implements Producer {
  readonly log: OutgoingRecord[] = [];
  before: (records: readonly OutgoingRecord[]) => void | Promise<void> = () => undefined;
  after: (records: readonly OutgoingRecord[]) => void | Promise<void> = () => undefined;
  sends = 0;
  async connect(): Promise<void> {}
  async close(): Promise<void> {}
  async send(records: readonly OutgoingRecord[]): Promise<void> {
    this.sends += 1;
    await this.before(records);
    this.log.push(...records);
    await this.after(records);
  }
  bodies(): unknown[] {
    return this.log.map(bodyOf);
  }
}

const relay = (producer: Producer, options: Partial<RelayOptions> = {}): Relay => {
  const made = new Relay({ database, producer, owner: 'a', partitions: [0, 1, 2], ...options });
  relays.push(made);
  made.start();
  return made;
};

describe('the outbox', () => {
  it('keeps the order of the messages, their partition by order id and their envelope', async () => {
    const orderId = randomUUID();
    await database.write([
      outboxPart(
        numbers(0, 300).map((n) => message(n, orderId)),
        settings,
      ),
    ]);
    const rows = await takeWaiting(database, [0, 1, 2]);
    expect(rows.map(({ record }) => bodyOf(record))).toEqual(numbers(0, 300));
    expect(new Set(rows.map(({ record }) => record.partition)).size).toBe(1);
    expect(rows[0]?.record).toMatchObject({
      topic: 'events',
      key: Buffer.from(orderId),
      headers: {
        ce_type: 'faultline.test.happened.v1',
        ce_subject: orderId,
        ce_time: '2026-01-01T00:00:00.000Z',
      },
    });
  });

  it('writes nothing for no messages', async () => {
    expect(await database.write([outboxPart([], settings)])).toEqual({ outbox: 0 });
  });

  it('refuses what the broker would never take, and takes what is just small enough', () => {
    expect(() => outboxPart([message('x'.repeat(512 * 1024))], settings)).toThrow(MessageTooLarge);
    expect(() => outboxPart([message('x'.repeat(512 * 1024 - 2))], settings)).not.toThrow();
  });

  it('tells its depth and the age of its oldest row', async () => {
    expect(await outboxDepth(database)).toEqual({ depth: 0, oldestAgeSeconds: null });
    await put(1, 2);
    await database.pool.query(`UPDATE outbox SET created_at = created_at - interval '10 s' WHERE seq = 1`);
    const { depth: rows, oldestAgeSeconds } = await outboxDepth(database);
    expect(rows).toBe(2);
    expect(oldestAgeSeconds).toBeGreaterThan(9);
  });
});

describe('the relay', () => {
  it('publishes what was committed before and after its start, and deletes it', async () => {
    const broker = new FakeBroker();
    await put(1, 2);
    const one = relay(broker);
    await isEmpty();
    await put(3);
    one.hint();
    await isEmpty();
    expect(broker.bodies()).toEqual([1, 2, 3]);
  });

  it('polls often while polls find something, and seldom while hints do', async () => {
    let looks = 0;
    const counting: Database = {
      ...database,
      query: (statement) => {
        if (statement.name === 'relay-take') looks += 1;
        return database.query(statement);
      },
    };
    const broker = new FakeBroker();
    const one = relay(broker, { database: counting });
    await eventually(() => expect(one.status().partitions).toHaveLength(3));
    // Until it has calmed down.
    await eventually(async () => {
      const before = looks;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(looks - before).toBeLessThanOrEqual(1);
    });
    looks = 0;
    for (let n = 1; n <= 10; n += 1) {
      await put(n);
      one.hint();
      await eventually(() => expect(broker.log).toHaveLength(n), { every: 1 });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await isEmpty();
    // Ten looks by hint, and a poll now and then: it was fifty.
    expect(looks).toBeLessThan(25);
    await put(11);
    await eventually(() => expect(broker.log).toHaveLength(11), { every: 1 });
    const before = looks;
    await eventually(() => expect(looks - before).toBeGreaterThan(3), { within: 800 });
  });

  it('reads on with each settling while more comes in, and keeps the order', async () => {
    const asked: (string | undefined)[] = [];
    const watching: Database = {
      ...database,
      query: (statement) => {
        asked.push(statement.name);
        return database.query(statement);
      },
    };
    const broker = new FakeBroker();
    const orderId = randomUUID();
    let written = 0;
    // More is committed while each of the first ten is sent.
    broker.before = async () => {
      if (written >= 10) return;
      written += 1;
      await database.write([outboxPart([message(written, orderId)], settings)]);
      one.hint();
    };
    await database.write([outboxPart([message(0, orderId)], settings)]);
    const one = relay(broker, { database: watching });
    await eventually(() => expect(broker.log).toHaveLength(11));
    await isEmpty();
    expect(broker.bodies()).toEqual(numbers(0, 11));
    expect(asked.filter((name) => name === 'relay-settle-take')).toHaveLength(10);
    expect(asked.filter((name) => name === 'relay-settle')).toHaveLength(1);
  });

  it('does not send what it read ahead from a partition that it has given away meanwhile', async () => {
    const [kept, given] = [orderOf(0), orderOf(2)];
    const other = new FakeBroker();
    const slowly: Database = {
      ...database,
      query: async (statement) => {
        const rows = await database.query(statement);
        if (statement.name !== 'relay-settle-take') return rows;
        relay(other, { owner: 'b', leaseMs: 1000 });
        await eventually(() => expect(one.status().partitions).toEqual([0, 1]));
        return rows;
      },
    } as Database;
    const broker = new FakeBroker();
    await database.write([outboxPart([message(1, kept)], settings)]);
    broker.before = async () => {
      broker.before = () => undefined;
      await database.write([outboxPart([message(2, given), message(3, kept)], settings)]);
      one.hint();
    };
    const one = relay(broker, { database: slowly, leaseMs: 1000 });
    await eventually(() => expect(broker.log).toHaveLength(2));
    await isEmpty();
    expect(broker.bodies()).toEqual([1, 3]);
    expect(other.bodies()).toEqual([2]);
  });

  it('publishes again what was sent when it died before the deletion', async () => {
    const broker = new FakeBroker();
    broker.after = () => {
      broker.after = () => undefined;
      throw new Error('killed between publish and delete');
    };
    await put(1, 2);
    relay(broker);
    await isEmpty();
    expect(broker.bodies()).toEqual([1, 2, 1, 2]);
  });

  it('loses nothing while the broker is away, and keeps the order', async () => {
    const broker = new FakeBroker();
    let away = true;
    broker.before = () => {
      if (away) throw new Error('ECONNREFUSED');
    };
    const one = relay(broker);
    await put(...numbers(0, 20));
    await eventually(() => expect(one.status().failing).toBe('ECONNREFUSED'), { within: 5000 });
    expect(await depth()).toBe(20);
    away = false;
    await isEmpty();
    expect(broker.bodies()).toEqual(numbers(0, 20));
    expect(one.status().failing).toBeNull();
  });

  it('backs off while the broker is away, however often it is hinted at', async () => {
    const broker = new FakeBroker();
    broker.before = () => {
      throw new Error('away');
    };
    await put(1);
    const one = relay(broker);
    const until = performance.now() + 700;
    await eventually(
      () => {
        one.hint();
        expect(performance.now()).toBeGreaterThan(until);
      },
      { within: 3000 },
    );
    expect(broker.sends).toBeLessThan(12);
  });

  it('publishes a row whose number is smaller but which commits later', async () => {
    const broker = new FakeBroker();
    const slow = new pg.Client({ connectionString: url });
    await slow.connect();
    try {
      await slow.query('BEGIN');
      const { text, values } = outboxPart([message('early, commits late')], settings);
      await slow.query(text, [...values]);
      await put('later, commits first');
      relay(broker);
      await isEmpty();
      expect(broker.bodies()).toEqual(['later, commits first']);
      await slow.query('COMMIT');
      await eventually(
        () => expect(broker.bodies()).toEqual(['later, commits first', 'early, commits late']),
        {
          within: 5000,
        },
      );
    } finally {
      await slow.end();
    }
  });

  it('deletes exactly what it has read: a row that appears in between stays for the next round', async () => {
    const broker = new FakeBroker();
    const slow = new pg.Client({ connectionString: url });
    await slow.connect();
    try {
      await slow.query('BEGIN');
      const { text, values } = outboxPart([message('in between')], settings);
      await put('first');
      await slow.query(text, [...values]);
      await put('last');
      broker.after = async () => {
        broker.after = () => undefined;
        await slow.query('COMMIT');
      };
      relay(broker);
      await isEmpty();
      expect(broker.bodies()).toEqual(['first', 'last', 'in between']);
    } finally {
      await slow.end();
    }
  });

  it('sends no more at once than one request may carry', async () => {
    const broker = new FakeBroker();
    const sizes: number[] = [];
    broker.before = (records) => {
      sizes.push(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0));
    };
    await put(...numbers(0, 8).map((n) => String(n).repeat(300 * 1024)));
    relay(broker);
    await isEmpty();
    expect(broker.log).toHaveLength(8);
    expect(Math.max(...sizes)).toBeLessThan(1024 * 1024);
  });

  it('sets a row that the broker will never take aside, and its neighbours go out', async () => {
    const broker = new FakeBroker();
    broker.before = (records) => {
      if (records.some((record) => bodyOf(record) === 'poison'))
        throw new RefusedByBroker('MESSAGE_TOO_LARGE');
    };
    await put(1, 'poison', 2);
    relay(broker);
    await isEmpty();
    expect(broker.bodies()).toEqual([1, 2]);
    const { rows } = await database.pool.query('SELECT * FROM dead_letter');
    expect(rows).toMatchObject([
      {
        consumer: 'relay',
        topic: 'events',
        reason: 'REFUSED_BY_BROKER',
        detail: 'MESSAGE_TOO_LARGE',
        type: 'faultline.test.happened.v1',
        value: Buffer.from('"poison"'),
        status: 'DEAD',
      },
    ]);
  });

  it('keeps a refused row in the outbox when its lease is lost meanwhile', async () => {
    const broker = new FakeBroker();
    broker.before = async () => {
      await database.pool.query(`UPDATE relay_lease SET fence = fence + 1, owner = 'b', until = 'infinity'`);
      throw new RefusedByBroker('MESSAGE_TOO_LARGE');
    };
    await put('poison');
    relay(broker);
    await eventually(() => expect(broker.sends).toBeGreaterThan(1), { within: 3000 });
    expect(await depth()).toBe(1);
    expect((await database.pool.query('SELECT 1 FROM dead_letter')).rowCount).toBe(0);
  });

  it('publishes a last time at its stop', async () => {
    const broker = new FakeBroker();
    const one = relay(broker);
    await eventually(() => expect(one.status().partitions).toHaveLength(3), { within: 3000 });
    await put(1);
    await one.stop();
    expect(broker.bodies()).toEqual([1]);
  });

  it('stops although a send hangs', async () => {
    const broker = new FakeBroker();
    broker.before = () => new Promise<void>(() => undefined);
    await put(1);
    const one = relay(broker);
    await eventually(() => expect(broker.sends).toBe(1), { within: 3000 });
    const asked = performance.now();
    await one.stop();
    expect(performance.now() - asked).toBeLessThan(4000);
    expect(await depth()).toBe(1);
  });

  it('vacuums its table while it publishes', async () => {
    const broker = new FakeBroker();
    await put(1);
    relay(broker);
    await eventually(
      async () => {
        const { rows } = await database.pool.query<{ n: string }>(
          `SELECT vacuum_count AS n FROM pg_stat_all_tables WHERE relname = 'outbox'`,
        );
        expect(Number(rows[0]?.n)).toBeGreaterThan(0);
      },
      { within: 5000 },
    );
  });
});

describe('two relays', () => {
  it('lose nothing, and first deliveries keep their order', async () => {
    const topic = new FakeBroker();
    const orderId = randomUUID();
    const share = (): Producer => ({
      connect: async () => undefined,
      close: async () => undefined,
      send: (r) => topic.send(r),
    });
    const a = relay(share(), { owner: 'a', leaseMs: 400 });
    relay(share(), { owner: 'b', leaseMs: 400 });
    for (let n = 0; n < 400; n += 1) {
      await database.write([outboxPart([message(n, orderId)], settings)]);
      if (n === 200) await a.stop();
    }
    await isEmpty();
    expect(unique(topic.bodies())).toEqual(numbers(0, 400));
  });

  it('have a fair share each, and none of it twice', async () => {
    const a = relay(new FakeBroker(), { owner: 'a', leaseMs: 1000 });
    await eventually(() => expect(a.status().partitions).toHaveLength(3), { within: 3000 });
    const b = relay(new FakeBroker(), { owner: 'b', leaseMs: 1000 });
    await eventually(() => {
      expect(a.status().partitions.length + b.status().partitions.length).toBe(3);
      expect(b.status().partitions).not.toEqual([]);
      expect(a.status().partitions).not.toEqual([]);
    });
    const c = relay(new FakeBroker(), { owner: 'c', leaseMs: 1000 });
    const all = (): number[] => [a, b, c].flatMap((each) => each.status().partitions);
    await eventually(() => {
      expect([a, b, c].map((each) => each.status().partitions.length)).toEqual([1, 1, 1]);
      expect(new Set(all())).toEqual(new Set([0, 1, 2]));
    });
    await Promise.all([a.stop(), c.stop()]);
    await eventually(() => expect(b.status().partitions).toEqual([0, 1, 2]));
  });

  it('hand a partition over between two rounds: nothing is published twice', async () => {
    const topic = new FakeBroker();
    let finish: () => void = () => undefined;
    topic.after = () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      });
    const orders = [0, 1, 2].map((partition) => orderOf(partition));
    await database.write([
      outboxPart(
        orders.map((orderId, n) => message(n, orderId)),
        settings,
      ),
    ]);
    const a = relay(topic, { owner: 'a', leaseMs: 8000 });
    await eventually(() => expect(topic.log).toHaveLength(3));
    const other = new FakeBroker();
    const b = relay(other, { owner: 'b', leaseMs: 1000 });
    await eventually(() => expect(a.status().partitions).toHaveLength(2));
    // b asks all the while, and is not given what a still publishes.
    const asked = await lastSeen('b');
    await eventually(async () => expect(await lastSeen('b')).toBeGreaterThan(asked + 100));
    expect(b.status().partitions).toEqual([]);
    topic.after = () => undefined;
    finish();
    await eventually(() => expect(b.status().partitions).toHaveLength(1));
    await isEmpty();
    expect(topic.bodies()).toEqual([0, 1, 2]);
    expect(other.log).toEqual([]);
  });

  it('hand over under load, again and again, and first deliveries keep their order', async () => {
    const topic = new FakeBroker();
    const slowly: Producer = {
      connect: async () => undefined,
      close: async () => undefined,
      async send(records) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        await topic.send(records);
      },
    };
    const orders = [0, 1, 2].map((partition) => orderOf(partition));
    const a = relay(slowly, { owner: 'a', leaseMs: 1000 });
    let written = 0;
    for (let guests = 1; guests <= 5; guests += 1) {
      const guest = relay(slowly, { owner: `guest-${guests}`, leaseMs: 1000 });
      let waiting = true;
      const sharing = eventually(() => expect(guest.status().partitions).not.toEqual([])).finally(() => {
        waiting = false;
      });
      for (const until = written + 40; written < until || waiting; written += 1)
        await database.write([
          outboxPart(
            orders.map((orderId) => message(written, orderId)),
            settings,
          ),
        ]);
      await sharing;
      await guest.stop();
      await eventually(() => expect(a.status().partitions).toHaveLength(3));
    }
    await isEmpty();
    for (const orderId of orders) {
      const own = topic.log.filter(({ key }) => key?.toString() === orderId);
      expect(unique(own.map(bodyOf))).toEqual(numbers(0, written));
    }
  });

  it('hand over at once when one stops', async () => {
    const a = relay(new FakeBroker(), { owner: 'a', leaseMs: 60_000 });
    await eventually(() => expect(a.status().partitions).toHaveLength(3), { within: 3000 });
    await a.stop();
    const b = relay(new FakeBroker(), { owner: 'b' });
    await eventually(() => expect(b.status().partitions).toHaveLength(3), { within: 3000 });
  });

  it('take over everything when one died', async () => {
    const broker = new FakeBroker();
    await new Leases(database, 'dead', [0, 1, 2], 300).refresh();
    await put(1, 2, 3, 4, 5, 6);
    const b = relay(broker, { owner: 'b', leaseMs: 1000 });
    await isEmpty();
    expect(new Set(broker.bodies())).toEqual(new Set(numbers(1, 7)));
    expect(b.status().partitions).toEqual([0, 1, 2]);
  });

  it('take no more than their share, though everything is free', async () => {
    const a = new Leases(database, 'a', [0, 1, 2], 60_000);
    const b = new Leases(database, 'b', [0, 1, 2], 60_000);
    await a.refresh();
    await a.release(a.held());
    await eventually(async () => {
      await b.refresh();
      expect([...b.held().keys()]).toEqual([0, 1]);
    });
    expect(b.dropSurplus().size).toBe(0);
  });

  it('leave what a dead one held alone until its lease ends', async () => {
    await new Leases(database, 'dead', [0, 1, 2], 60_000).refresh();
    const b = new Leases(database, 'b', [0, 1, 2], 60_000);
    await b.refresh();
    expect([...b.held().keys()]).toEqual([]);
    expect(b.wantsMore()).toBe(true);
  });

  it('do not wait for a predecessor of the same name', async () => {
    await new Leases(database, 'a', [0, 1, 2], 60_000).refresh();
    const successor = relay(new FakeBroker(), { owner: 'a' });
    await eventually(() => expect(successor.status().partitions).toHaveLength(3), { within: 2000 });
  });

  it('only duplicate when a paused one wakes after its lease was taken: its deletion is refused', async () => {
    const paused = new FakeBroker();
    const other = new FakeBroker();
    let wake: () => void = () => undefined;
    paused.before = () =>
      new Promise<void>((resolve) => {
        wake = resolve;
      });
    await put(1);
    relay(paused, { owner: 'a', leaseMs: 60_000 });
    await eventually(() => expect(paused.sends).toBe(1), { within: 3000 });
    // Its process slept past the lease: by the database's clock it is over.
    await database.pool.query('UPDATE relay_lease SET until = clock_timestamp()');
    await database.pool.query('UPDATE relay_member SET until = clock_timestamp()');
    other.before = () => {
      throw new Error('the new holder has not published yet');
    };
    const b = relay(other, { owner: 'b', leaseMs: 60_000 });
    await eventually(() => expect(b.status().partitions).toHaveLength(3), { within: 3000 });
    wake();
    await eventually(() => expect(paused.log).toHaveLength(1), { within: 3000 });
    await eventually(() => expect(other.sends).toBeGreaterThan(1), { within: 5000 });
    expect(await depth()).toBe(1);
    other.before = () => undefined;
    await isEmpty();
    expect(other.bodies()).toEqual([1]);
  });

  it('refuse the deletion under a stale fence, row by row of the partition that was lost', async () => {
    await database.write([
      outboxPart(
        numbers(0, 30).map((n) => message(n)),
        settings,
      ),
    ]);
    const leases = new Leases(database, 'a', [0, 1, 2], 60_000);
    await leases.refresh();
    const held = new Map(leases.held());
    const rows = await takeWaiting(database, [0, 1, 2]);
    const lost = rows.filter(({ record }) => record.partition === 1).length;
    expect(lost).toBeGreaterThan(0);
    await database.pool.query(`UPDATE relay_lease SET fence = fence + 1 WHERE partition = 1`);
    expect(await settle(database, rows, held)).toBe(30 - lost);
    expect(await depth()).toBe(lost);
  });

  it('delete without waiting for the disk, and nothing else does', async () => {
    await put(1);
    const leases = new Leases(database, 'a', [0, 1, 2], 60_000);
    await leases.refresh();
    const client = await database.pool.connect();
    const setting = async (): Promise<unknown> =>
      (await client.query<{ synchronous_commit: string }>('SHOW synchronous_commit')).rows[0]
        ?.synchronous_commit;
    const here = {
      query: async (statement: pg.QueryConfig) => (await client.query(statement)).rows as unknown[],
    } as unknown as Database;
    try {
      await client.query('BEGIN');
      await settle(here, await takeWaiting(here, [0, 1, 2]), leases.held());
      expect(await setting()).toBe('off');
      await client.query('COMMIT');
      expect(await setting()).toBe('on');
    } finally {
      client.release();
    }
  });

  it('refuse it just so when the next rows are read along with it', async () => {
    await put(...numbers(0, 30));
    const leases = new Leases(database, 'a', [0, 1, 2], 60_000);
    await leases.refresh();
    const held = new Map(leases.held());
    const rows = await takeWaiting(database, [0, 1, 2]);
    const lost = rows.filter(({ record }) => record.partition === 1).length;
    await database.pool.query(`UPDATE relay_lease SET fence = fence + 1 WHERE partition = 1`);
    await put(...numbers(30, 60));
    const { deleted, next } = await settleAndTake(database, rows, held);
    expect(deleted).toBe(30 - lost);
    expect(next.map(({ record }) => bodyOf(record))).toEqual(numbers(30, 60));
    // What it may not delete comes again: a stale relay can only duplicate.
    const again = await settleAndTake(database, next, held);
    expect(again.next.map(({ record }) => record.partition)).toEqual(Array.from({ length: lost }, () => 1));
  });
});

describe('a lease', () => {
  it('is believed in for a shorter time than the database keeps it', async () => {
    const leases = new Leases(database, 'a', [0], 300);
    await leases.refresh();
    expect(leases.held().size).toBe(1);
    await eventually(() => expect(leases.held().size).toBe(0), { within: 1000 });
    const { rows } = await database.pool.query<{ lasts: boolean }>(
      'SELECT until > clock_timestamp() AS lasts FROM relay_lease',
    );
    expect(rows).toEqual([{ lasts: true }]);
  });

  it('keeps its fence while it is renewed, and gets a new one when it is taken', async () => {
    const a = new Leases(database, 'a', [0], 60_000);
    await a.refresh();
    const first = a.held().get(0);
    await a.refresh();
    expect(a.held().get(0)).toBe(first);
    await a.leave();
    const b = new Leases(database, 'b', [0], 60_000);
    await b.refresh();
    expect(b.held().get(0)).toBeGreaterThan(first ?? 0);
    await a.refresh();
    expect(a.held().size).toBe(0);
  });

  it('is not taken back by a woken predecessor of the same name', async () => {
    const woken = new Leases(database, 'a', [0], 60_000);
    await woken.refresh();
    const successor = new Leases(database, 'a', [0], 60_000);
    await successor.refresh();
    await woken.refresh();
    expect(woken.held().size).toBe(0);
    await successor.refresh();
    expect(successor.held().size).toBe(1);
  });
});
