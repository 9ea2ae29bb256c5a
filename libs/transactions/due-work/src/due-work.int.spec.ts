import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, DatabaseUnavailable, databaseClock } from '@faultline/database';
import { eventually, testDatabase } from '@faultline/testing';
import { claim, postpone } from './claim.js';
import {
  type Claimed,
  dueWorkDepth,
  DueWorker,
  type DueWorkerOptions,
  finishPart,
  heldPart,
  schedulePart,
} from './index.js';

let database: Database;
let drop: () => Promise<void>;
const workers: DueWorker[] = [];

beforeAll(async () => {
  ({ database, drop } = await testDatabase(new URL('../../prisma/', import.meta.url)));
});
beforeEach(() => database.pool.query('TRUNCATE due_work'));
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())));
afterAll(() => drop());

const kind = 'deadline';
const now = async (): Promise<number> => {
  const [row] = await database.query<{ now: number }>({ text: databaseClock.text });
  return row?.now ?? 0;
};
const schedule = async (keys: readonly string[], inMs = -1): Promise<void> => {
  const dueAt = (await now()) + inMs;
  await database.write([schedulePart(keys.map((key) => ({ kind, key, dueAt })))]);
};
const take = async (owner = 'a', leaseMs = 5000, limit = 100): Promise<readonly Claimed[]> =>
  (await claim(database, kind, owner, leaseMs, limit)).claimed;
const keys = (claimed: readonly { readonly key: string }[]): string[] => claimed.map(({ key }) => key).sort();
const left = async (): Promise<string[]> =>
  keys((await database.pool.query<{ key: string }>('SELECT key FROM due_work')).rows);
const endLeases = (): Promise<unknown> =>
  database.pool.query("UPDATE due_work SET lease_until = clock_timestamp() - interval '1 ms'");
class Lost extends Error {}
/** Finishes what it still holds, as a step does; throws when something was taken over. */
const finish = (claimed: readonly Claimed[]): Promise<void> =>
  database.transaction(async (tx) => {
    const { 'due-held': rows = [] } = await tx.read([heldPart(claimed)]);
    await tx.write([finishPart(rows as Claimed[])]);
    if (rows.length < claimed.length) throw new Lost();
  });
const worker = (options: Partial<DueWorkerOptions> & Pick<DueWorkerOptions, 'run'>): DueWorker => {
  const made = new DueWorker({ database, kind, owner: 'a', ...options });
  workers.push(made);
  made.start();
  return made;
};

describe('claiming', () => {
  it('takes what is due, the longest overdue first, and nothing before its time', async () => {
    await schedule(['later'], 60_000);
    await schedule(['second'], -100);
    await schedule(['first'], -200);
    const { claimed, next, now: at } = await claim(database, kind, 'a', 5000, 100);
    expect(claimed.map(({ key, attempt }) => ({ key, attempt }))).toEqual([
      { key: 'first', attempt: 1 },
      { key: 'second', attempt: 1 },
    ]);
    expect((next ?? 0) - at).toBeGreaterThan(55_000);
  });

  it('takes no other kind', async () => {
    await database.write([schedulePart([{ kind: 'other', key: 'x', dueAt: 0 }])]);
    expect(await take()).toEqual([]);
  });

  it('never gives one row to two workers at once', async () => {
    await schedule(Array.from({ length: 200 }, (_, nth) => `k${String(nth)}`));
    const taken = await Promise.all(Array.from({ length: 8 }, (_, nth) => take(`w${String(nth)}`, 5000, 40)));
    const all = taken.flat();
    expect(new Set(keys(all)).size).toBe(all.length);
    expect(all.length).toBe(200);
  });

  it('takes a row again when its lease has ended, under a new fence and as a further attempt', async () => {
    await schedule(['x']);
    const [first] = await take('a');
    expect(await take('b')).toEqual([]);
    await endLeases();
    const [second] = await take('b');
    expect(second).toMatchObject({ key: 'x', attempt: 2 });
    expect(second?.fence).not.toBe(first?.fence);
  });
});

describe('the fence', () => {
  it('lets the holder finish', async () => {
    await schedule(['x', 'y']);
    await finish(await take());
    expect(await left()).toEqual([]);
  });

  it('lets the holder schedule anew', async () => {
    await schedule(['x']);
    const claimed = await take();
    const dueAt = (await now()) + 60_000;
    const held = await database.transaction(async (tx) => {
      const { 'due-held': rows = [] } = await tx.read([heldPart(claimed)]);
      await tx.write([schedulePart([{ kind, key: 'x', dueAt }])]);
      return rows;
    });
    expect(held).toHaveLength(1);
    expect(await take()).toEqual([]);
    expect(await left()).toEqual(['x']);
  });

  it('refuses a worker that slept while its lease was taken over, and nothing of its transaction stays', async () => {
    await schedule(['x']);
    const stale = await take('a');
    await endLeases();
    await take('b');
    await expect(finish(stale)).rejects.toBeInstanceOf(Lost);
    expect(await left()).toEqual(['x']);
  });

  it('refuses it also when the work was finished and scheduled anew in between', async () => {
    await schedule(['x']);
    const stale = await take('a');
    await endLeases();
    await finish(await take('b'));
    await schedule(['x']);
    await take('b');
    await expect(finish(stale)).rejects.toBeInstanceOf(Lost);
    expect(await left()).toEqual(['x']);
  });

  it('refuses a run that did not see the new time its work was moved to', async () => {
    await schedule(['x']);
    const unaware = await take('a');
    await schedule(['x'], 60_000);
    await expect(finish(unaware)).rejects.toBeInstanceOf(Lost);
    expect(await left()).toEqual(['x']);
  });

  it('makes a take-over wait for the transaction that holds it', async () => {
    await schedule(['x']);
    const claimed = await take('a');
    await endLeases();
    await database.transaction(async (tx) => {
      await tx.read([heldPart(claimed)]);
      expect(await take('b')).toEqual([]);
      await tx.write([finishPart(claimed)]);
    });
    expect(await left()).toEqual([]);
  });

  it('tells a step which of its rows it still holds', async () => {
    await schedule(['mine', 'lost']);
    const claimed = await take('a');
    await schedule(['lost'], 60_000);
    const rows = await database.transaction((tx) => tx.read([databaseClock, heldPart(claimed)]));
    expect(rows['due-held']).toEqual([{ kind, key: 'mine' }]);
  });

  it('does not let a stale worker postpone what another holds', async () => {
    await schedule(['x']);
    const stale = await take('a');
    await endLeases();
    await take('b', 1);
    await postpone(database, stale, 60_000);
    await eventually(async () => expect(keys(await take('c'))).toEqual(['x']), { within: 2000 });
  });
});

describe('a worker', () => {
  it('runs what is due and leaves nothing when the run finishes it', async () => {
    await schedule(['x', 'y']);
    const ran: string[] = [];
    worker({
      async run(claimed) {
        ran.push(...keys(claimed));
        await finish(claimed);
      },
    });
    await eventually(async () => expect(await left()).toEqual([]), { within: 3000 });
    expect(ran.sort()).toEqual(['x', 'y']);
  });

  it('runs work at its time and not before', async () => {
    const ran: number[] = [];
    worker({
      async run(claimed) {
        ran.push(await now());
        await finish(claimed);
      },
    });
    await eventually(async () => expect(await claimCount()).toBeGreaterThan(0), { within: 3000 });
    const dueAt = (await now()) + 150;
    await database.write([schedulePart([{ kind, key: 'x', dueAt }])]);
    await eventually(() => expect(ran).toHaveLength(1), { within: 3000 });
    expect((ran[0] ?? 0) - dueAt).toBeGreaterThanOrEqual(-1);
    expect((ran[0] ?? 0) - dueAt).toBeLessThan(1500);
  });

  it('of two workers each row is run once', async () => {
    await schedule(Array.from({ length: 60 }, (_, nth) => `k${String(nth)}`));
    const ran: string[] = [];
    const run = async (claimed: readonly Claimed[]): Promise<void> => {
      await finish(claimed);
      ran.push(...keys(claimed));
    };
    worker({ owner: 'a', batch: 7, run });
    worker({ owner: 'b', batch: 7, run });
    await eventually(async () => expect(await left()).toEqual([]), { within: 5000 });
    await eventually(() => expect(ran).toHaveLength(60), { within: 1000 });
    expect(new Set(ran).size).toBe(60);
  });

  it('takes failed work again later, and its neighbours are not kept waiting', async () => {
    await schedule(['bad', 'good-1', 'good-2']);
    const attempts: number[] = [];
    worker({
      async run(claimed) {
        const bad = claimed.find(({ key }) => key === 'bad');
        if (bad && claimed.length === 1) attempts.push(bad.attempt);
        if (bad && bad.attempt < 3) throw new Error('not yet');
        await finish(claimed);
      },
    });
    await eventually(async () => expect(await left()).toEqual(['bad']), { within: 2000 });
    await eventually(async () => expect(await left()).toEqual([]), { within: 10_000 });
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('waits longer after each failure', async () => {
    await schedule(['x']);
    const waits: number[] = [];
    worker({
      async run() {
        throw new Error('never');
      },
      log: { warn: (fields) => void ('wait' in fields && waits.push(Number(fields.wait))) },
    });
    await eventually(() => expect(waits.length).toBeGreaterThanOrEqual(4), { within: 15_000 });
    const [first = 0, second = 0, third = 0, fourth = 0] = waits;
    expect(first).toBeLessThanOrEqual(200);
    expect(second).toBeGreaterThanOrEqual(200);
    expect(third).toBeGreaterThanOrEqual(400);
    expect(fourth).toBeGreaterThanOrEqual(800);
  });

  it('takes over from one that died, when its lease has ended', async () => {
    await schedule(['x']);
    await take('dead', 300);
    worker({ owner: 'b', run: finish });
    await eventually(async () => expect(await left()).toEqual([]), { within: 4000 });
  });

  it('goes on when the database comes back', async () => {
    let away = true;
    const flaky: Database = {
      ...database,
      query: (statement) =>
        away ? Promise.reject(new DatabaseUnavailable(new Error('away'))) : database.query(statement),
    };
    await schedule(['x']);
    let warned = 0;
    worker({ database: flaky, run: finish, log: { warn: () => void (warned += 1) } });
    await eventually(() => expect(warned).toBeGreaterThan(1), { within: 3000 });
    away = false;
    await eventually(async () => expect(await left()).toEqual([]), { within: 3000 });
  });

  it('stops at once when it has nothing to do, and only after the run under way otherwise', async () => {
    const idle = worker({ kind: 'nothing', run: finish });
    await idle.stop();
    await schedule(['x']);
    let begun = false;
    let ended = false;
    const busy = worker({
      async run(claimed) {
        begun = true;
        await eventually(() => expect(stopping).toBe(true), { within: 3000 });
        await finish(claimed);
        ended = true;
      },
    });
    let stopping = false;
    await eventually(() => expect(begun).toBe(true), { within: 3000 });
    const stopped = busy.stop();
    stopping = true;
    await stopped;
    expect(ended).toBe(true);
  });
});

it('tells how much is scheduled and how late it is', async () => {
  expect(await dueWorkDepth(database)).toEqual({ depth: 0, overdueSeconds: 0 });
  await schedule(['x'], -5000);
  await schedule(['y'], 60_000);
  const { depth, overdueSeconds } = await dueWorkDepth(database);
  expect(depth).toBe(2);
  expect(overdueSeconds).toBeGreaterThan(4.5);
});

const claimCount = async (): Promise<number> => {
  const { rows } = await database.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'WITH due%'`,
  );
  return rows[0]?.n ?? 0;
};
