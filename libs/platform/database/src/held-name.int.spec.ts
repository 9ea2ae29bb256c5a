import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { type HeldName, holdName, NameTaken } from './held-name.js';

const url = process.env['TEST_POSTGRES_URL'] ?? '';
const admin = new pg.Pool({ connectionString: url, max: 2 });
const held: HeldName[] = [];
let name: string;

beforeEach(() => {
  name = `order-${randomUUID().slice(0, 8)}`;
});
afterEach(() => Promise.all(held.splice(0).map((each) => each.release())));
afterAll(() => admin.end());

const take = async (
  within = 200,
  onLost: (error: NameTaken) => void = () => undefined,
): Promise<HeldName> => {
  const taken = await holdName({ url, name, within, onLost });
  held.push(taken);
  return taken;
};
// The one of @faultline/testing needs this package built.
const eventually = async (assertion: () => void | Promise<void>): Promise<void> => {
  for (const until = performance.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
};
const lock = `hashtextextended('faultline-name/' || $1, 0)`;
/** The server's side of whoever holds the name. */
const holder = async (): Promise<number | undefined> => {
  const { rows } = await admin.query<{ pid: number }>(
    `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
     AND (classid::bigint << 32) + objid::bigint = ${lock}`,
    [name],
  );
  return rows[0]?.pid;
};
/** What the server does when a process was killed, or when it is restarted itself. */
const breakOff = async (pid: number | undefined): Promise<void> => {
  await admin.query('SELECT pg_terminate_backend($1)', [pid]);
};

it('a name is held by one at a time, and the other one is told', async () => {
  await take();
  await expect(take()).rejects.toThrow(
    new NameTaken(`another living process is called ${name}: end it, or give this one a name of its own`),
  );
});

it('whoever waits for a name has it as soon as it is free', async () => {
  const first = await take();
  const waiting = take(10_000);
  await first.release();
  await waiting;
});

it('a name is taken again when the server has broken the connection', async () => {
  await take();
  const before = await holder();
  expect(before).toBeDefined();
  await breakOff(before);
  await eventually(async () => {
    const now = await holder();
    expect(now).toBeDefined();
    expect(now).not.toBe(before);
  });
  await expect(take()).rejects.toThrow(NameTaken);
});

it('whoever lost a name to another one while its connection was broken hears of it', async () => {
  const lost: NameTaken[] = [];
  await take(200, (error) => lost.push(error));
  const successor = await admin.connect();
  try {
    // In the queue for it: it is next when the holder's connection ends.
    const waiting = successor.query(`SELECT pg_advisory_lock(${lock})`, [name]);
    await breakOff(await holder());
    await waiting;
    await eventually(() => expect(lost).toHaveLength(1));
  } finally {
    successor.release(true);
  }
});
