import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, DatabaseUnavailable, openDatabase, OutcomeUnknown } from '@faultline/database';
import { testDatabase } from '@faultline/testing';
import type { Accepted } from './acceptance.js';
import { forgetExpiredKeys } from './acceptance.js';
import { acceptanceOn, aPlacement } from './placements.spec-data.js';

let db: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
});
afterAll(() => db.drop());
afterEach(() =>
  db.database.pool.query('TRUNCATE orders, saga, idempotency_key, due_work, outbox, journal, inbox'),
);

const tables = ['idempotency_key', 'orders', 'saga', 'due_work', 'journal', 'outbox'] as const;

/** Rows per table: what one accepted order leaves is [1, 1, 1, 1, 1, 2]. */
async function rows(): Promise<number[]> {
  const counts = tables.map((table) => `(SELECT count(*)::int FROM ${table})`).join(', ');
  const [row] = await db.database.query<{ counts: number[] }>({ text: `SELECT ARRAY[${counts}] AS counts` });
  return row?.counts ?? [];
}
const nothing = [0, 0, 0, 0, 0, 0];
const oneOrder = [1, 1, 1, 1, 1, 2];

const word = (accepted: Accepted): string => Object.keys(accepted)[0] ?? '';
const orderIdOf = (accepted: Accepted): string | undefined =>
  'accepted' in accepted
    ? accepted.accepted.orderId
    : 'replayed' in accepted
      ? accepted.replayed.orderId
      : undefined;

describe('accepting an order', () => {
  it('leaves its key, order, saga, due work, journal entry and both first commands', async () => {
    const placement = aPlacement();
    const accepted = await acceptanceOn(db.database).accept(placement);
    expect(accepted).toMatchObject({
      accepted: { orderId: placement.orderId, status: 'PENDING', total: 900, customerId: 'customer-1' },
    });
    expect(await rows()).toEqual(oneOrder);
    const sent = await db.database.query({
      text: `SELECT topic, headers->>'ce_type' AS type, convert_from(key, 'UTF8') AS key FROM outbox ORDER BY topic`,
    });
    expect(sent).toEqual([
      { topic: 'inventory.commands', type: 'faultline.inventory.reserve-stock.v1', key: placement.orderId },
      { topic: 'payment.commands', type: 'faultline.payment.authorize-payment.v1', key: placement.orderId },
    ]);
  });

  it.each(tables)('leaves nothing at all when %s refuses its row, and the key stays free', async (table) => {
    const placement = aPlacement();
    const acceptance = acceptanceOn(db.database);
    await db.database.pool.query(`ALTER TABLE ${table} ADD CONSTRAINT refuse CHECK (false)`);
    try {
      await expect(acceptance.accept(placement)).rejects.toMatchObject({ code: '23514' });
    } finally {
      await db.database.pool.query(`ALTER TABLE ${table} DROP CONSTRAINT refuse`);
    }
    expect(await rows()).toEqual(nothing);
    expect(word(await acceptance.accept(placement))).toBe('accepted');
  });

  it('does not fail the neighbours of a placement whose data Postgres refuses', async () => {
    const acceptance = acceptanceOn(db.database);
    const refused = aPlacement({ customerId: 'a\u0000b' });
    const outcomes = await Promise.allSettled(
      [aPlacement(), refused, aPlacement()].map((placement) => acceptance.accept(placement)),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: '22021' } });
    expect(await rows()).toEqual([2, 2, 2, 2, 2, 4]);
    expect(word(await acceptance.accept(aPlacement({}, refused.key)))).toBe('accepted');
  });
});

describe('a key that comes again', () => {
  it('is answered with its order, as it stands by now', async () => {
    const acceptance = acceptanceOn(db.database);
    const first = aPlacement();
    await acceptance.accept(first);
    await db.database.pool.query(
      `UPDATE orders SET status = 'APPROVED', settlement = 'SETTLING', decided_at = now()`,
    );
    const again = aPlacement({}, first.key);
    const expected = { replayed: { orderId: first.orderId, status: 'APPROVED' } };
    expect(await acceptance.find(first.key, first.bodyHash)).toMatchObject(expected);
    expect(await acceptance.accept(again)).toMatchObject(expected);
    expect(await rows()).toEqual(oneOrder);
  });

  it('is a conflict with another body, and neither order changes', async () => {
    const acceptance = acceptanceOn(db.database);
    const first = aPlacement();
    await acceptance.accept(first);
    const other = aPlacement({ customerId: 'customer-2' }, first.key);
    expect(await acceptance.find(other.key, other.bodyHash)).toEqual({ conflict: true });
    expect(await acceptance.accept(other)).toEqual({ conflict: true });
    expect(await rows()).toEqual(oneOrder);
  });

  it('is free until an order was accepted under it', async () => {
    expect(await acceptanceOn(db.database).find('never used', 'any')).toBeNull();
  });

  it('makes one order of twins in one group, and tells the one with another body', async () => {
    const acceptance = acceptanceOn(db.database);
    const first = aPlacement();
    const answers = await Promise.all(
      [first, aPlacement({}, first.key), aPlacement({ customerId: 'customer-2' }, first.key)].map((each) =>
        acceptance.accept(each),
      ),
    );
    expect(answers.map(word)).toEqual(['accepted', 'replayed', 'conflict']);
    expect(answers.map(orderIdOf)).toEqual([first.orderId, first.orderId, undefined]);
    expect(await rows()).toEqual(oneOrder);
  });

  it('is free again after 24 hours and not before, also when nothing has swept in between', async () => {
    const acceptance = acceptanceOn(db.database);
    const age = (interval: string): Promise<unknown> =>
      db.database.pool.query('UPDATE idempotency_key SET created_at = now() - $1::interval', [interval]);
    const first = aPlacement();
    await acceptance.accept(first);
    await age('23 hours 59 minutes');
    expect(await forgetExpiredKeys(db.database)).toBe(0);
    expect(word(await acceptance.accept(aPlacement({}, first.key)))).toBe('replayed');
    await age('24 hours 1 minute');
    expect(await acceptance.find(first.key, first.bodyHash)).toBeNull();
    expect(word(await acceptance.accept(aPlacement({ customerId: 'customer-2' }, first.key)))).toBe(
      'accepted',
    );
    await age('24 hours 1 minute');
    expect(await forgetExpiredKeys(db.database)).toBe(1);
  });

  it('makes one order of twenty twins at four replicas that all found it free', async () => {
    const replicas = 4;
    const meet = meeting(replicas);
    const acceptances = Array.from({ length: replicas }, () =>
      acceptanceOn({
        ...db.database,
        async write(parts) {
          await meet();
          return db.database.write(parts);
        },
      }),
    );
    const found = await Promise.all(
      acceptances.flatMap((acceptance) =>
        Array.from({ length: 5 }, () => acceptance.accept(aPlacement({}, 'twins'))),
      ),
    );
    expect(found.map(word).toSorted()).toEqual(['accepted', ...Array.from({ length: 19 }, () => 'replayed')]);
    expect(new Set(found.map(orderIdOf)).size).toBe(1);
    expect(await rows()).toEqual(oneOrder);
  });

  it('does not cost a stranger in the group its order when a twin elsewhere was faster', async () => {
    const twin = aPlacement();
    const stranger = aPlacement();
    let overtake = async (): Promise<void> => {
      await acceptanceOn(db.database).accept(twin);
    };
    const acceptance = acceptanceOn({
      ...db.database,
      async write(parts) {
        await overtake();
        overtake = async () => undefined;
        return db.database.write(parts);
      },
    });
    const answers = await Promise.all([
      acceptance.accept(aPlacement({}, twin.key)),
      acceptance.accept(stranger),
    ]);
    expect(answers.map(word)).toEqual(['replayed', 'accepted']);
    expect(answers.map(orderIdOf)).toEqual([twin.orderId, stranger.orderId]);
    expect(await rows()).toEqual([2, 2, 2, 2, 2, 4]);
  });
});

describe('a failure in the middle of a group', () => {
  it('takes back nothing that was committed before it, and tells a twin what became of its sibling', async () => {
    let written = false;
    const acceptance = acceptanceOn({
      ...db.database,
      query: (statement) =>
        written ? Promise.reject(new DatabaseUnavailable(new Error('away'))) : db.database.query(statement),
      async write(parts) {
        written = true;
        return db.database.write(parts);
      },
    });
    const first = aPlacement();
    const answers = await Promise.all(
      [first, aPlacement({}, first.key), aPlacement()].map((each) => acceptance.accept(each)),
    );
    expect(answers.map(word)).toEqual(['accepted', 'replayed', 'accepted']);
    expect(await rows()).toEqual([2, 2, 2, 2, 2, 4]);
  });

  it('fails only those that have no outcome yet', async () => {
    const bound = aPlacement();
    await acceptanceOn(db.database).accept(bound);
    const contested = aPlacement();
    let away = false;
    const acceptance = acceptanceOn({
      ...db.database,
      query: (statement) =>
        away ? Promise.reject(new DatabaseUnavailable(new Error('away'))) : db.database.query(statement),
      async write(parts) {
        await acceptanceOn(db.database).accept(aPlacement({}, contested.key));
        away = true;
        return db.database.write(parts);
      },
    });
    const outcomes = await Promise.allSettled([
      acceptance.accept(aPlacement({}, bound.key)),
      acceptance.accept(contested),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: { replayed: { orderId: bound.orderId } } },
      { status: 'rejected', reason: expect.any(DatabaseUnavailable) },
    ]);
  });

  it('leaves a replay of the same group as it is when the others have an unknown outcome', async () => {
    const bound = aPlacement();
    await acceptanceOn(db.database).accept(bound);
    const acceptance = acceptanceOn({
      ...db.database,
      write: () => Promise.reject(new OutcomeUnknown(new Error('reset'))),
    });
    const outcomes = await Promise.allSettled(
      [aPlacement({}, bound.key), aPlacement(), aPlacement()].map((each) => acceptance.accept(each)),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: { replayed: { orderId: bound.orderId } } },
      { status: 'rejected', reason: expect.any(OutcomeUnknown) },
      { status: 'rejected', reason: expect.any(OutcomeUnknown) },
    ]);
  });

  it('says at once what is wrong when another row than the key exists already', async () => {
    const acceptance = acceptanceOn(db.database);
    const first = aPlacement();
    await acceptance.accept(first);
    await expect(acceptance.accept({ ...aPlacement(), orderId: first.orderId })).rejects.toMatchObject({
      code: '23505',
      constraint: 'orders_pkey',
    });
  });
});

describe('a database that goes away', () => {
  let proxy: Awaited<ReturnType<typeof proxyTo>>;
  let through: Database;
  beforeEach(async () => {
    const url = new URL(db.url);
    proxy = await proxyTo(Number(url.port), url.hostname);
    through = openDatabase({
      url: Object.assign(url, { hostname: '127.0.0.1', port: String(proxy.port) }).href,
      applicationName: 'test',
      connections: 2,
    });
  });
  afterEach(async () => {
    await through.close();
    await proxy.close();
  });

  it('leaves the outcome unknown when the answer to the commit is lost; the same key then finds the order', async () => {
    const acceptance = acceptanceOn(through);
    const placement = aPlacement();
    proxy.loseAnswerTo('INSERT INTO idempotency_key');
    await expect(acceptance.accept(placement)).rejects.toBeInstanceOf(OutcomeUnknown);
    expect(await acceptance.accept(aPlacement({}, placement.key))).toMatchObject({
      replayed: { orderId: placement.orderId, status: 'PENDING' },
    });
    expect(await rows()).toEqual(oneOrder);
  });

  it('accepts nothing while it is away, and the key is free afterwards', async () => {
    const acceptance = acceptanceOn(through);
    const placement = aPlacement();
    proxy.refuse(true);
    await expect(acceptance.accept(placement)).rejects.toBeInstanceOf(DatabaseUnavailable);
    expect(await rows()).toEqual(nothing);
    proxy.refuse(false);
    expect(await acceptance.accept(placement)).toMatchObject({ accepted: { orderId: placement.orderId } });
    expect(await rows()).toEqual(oneOrder);
  });
});

/** Lets nobody go on until so many have come; whoever comes later goes straight through. */
function meeting(expected: number): () => Promise<void> {
  let arrived = 0;
  let open: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    arrived += 1;
    if (arrived === expected) open();
    return all;
  };
}

/** A connection to Postgres that can be cut where a test wants it. */
async function proxyTo(port: number, host: string) {
  const sockets = new Set<Socket>();
  let refusing = false;
  let statement: string | undefined;
  const listener = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const upstream = connect(port, host);
    let losing = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (bytes) => {
      if (statement !== undefined && bytes.includes(statement)) {
        losing = true;
        statement = undefined;
      }
      upstream.write(bytes);
    });
    // The server answers a statement that is its own transaction when it has committed it.
    upstream.on('data', (bytes) => {
      if (losing) end();
      else client.write(bytes);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    loseAnswerTo(text: string): void {
      statement = text;
    },
    refuse(refuse: boolean): void {
      refusing = refuse;
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
