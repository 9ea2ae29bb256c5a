import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type Database, databaseClock, DatabaseUnavailable, openDatabase, OutcomeUnknown } from './index.js';

const server = process.env['TEST_POSTGRES_URL'];
if (server === undefined)
  throw new Error('TEST_POSTGRES_URL is not set: run this by `npm run infra:test -- <command>`');
const name = `database_${randomUUID().replaceAll('-', '')}`;
const url = Object.assign(new URL(server), { pathname: `/${name}` });
const admin = new pg.Client({ connectionString: server });
let database: Database;

const open = (to: string, options: { statementTimeout?: number } = {}): Database =>
  openDatabase({ url: to, applicationName: 'test', connections: 4, ...options });

const insert = (...ids: number[]): { name: string; text: string; values: unknown[] } => ({
  name: 'thing-insert',
  text: 'INSERT INTO thing SELECT unnest($1::int[]) RETURNING 1',
  values: [ids],
});
const ids = async (): Promise<number[]> =>
  (await database.query<{ id: number }>({ text: 'SELECT id FROM thing ORDER BY id' })).map((row) => row.id);

beforeAll(async () => {
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  database = open(url.href);
  await database.pool.query('CREATE TABLE thing (id int PRIMARY KEY)');
});
beforeEach(async () => {
  await database.pool.query('TRUNCATE thing');
});
afterAll(async () => {
  await database.close();
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.end();
});

describe('a transaction', () => {
  it('commits what the work wrote, and answers what the work answered', async () => {
    const counts = await database.transaction((tx) => tx.write([insert(1, 2)]));
    expect(counts).toEqual({ 'thing-insert': 2 });
    expect(await ids()).toEqual([1, 2]);
  });

  it('counts a write about no rows as none, whether it stands alone or beside others', async () => {
    const nothing = { ...insert(), name: 'nothing' };
    expect(await database.transaction((tx) => tx.write([insert(3), nothing]))).toEqual({
      'thing-insert': 1,
      nothing: 0,
    });
    expect(await database.write([nothing])).toEqual({ nothing: 0 });
  });

  it('rolls back when the work throws, and throws the same error', async () => {
    const refusal = new Error('no');
    const work = database.transaction(async (tx) => {
      await tx.write([insert(1)]);
      throw refusal;
    });
    await expect(work).rejects.toBe(refusal);
    expect(await ids()).toEqual([]);
  });

  it('leaves its connection usable after a refused statement', async () => {
    for (let nth = 0; nth < 10; nth += 1) {
      await expect(database.transaction((tx) => tx.write([insert(1, 1)]))).rejects.toMatchObject({
        code: '23505',
      });
    }
    expect(await database.transaction((tx) => tx.write([insert(1)]))).toEqual({ 'thing-insert': 1 });
  });

  it('does not answer as committed when the work hid a failed statement', async () => {
    const work = database.transaction(async (tx) => {
      await tx.write([insert(1)]);
      await tx.write([insert(1)]).catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back');
    expect(await ids()).toEqual([]);
  });

  it('reads parts at one snapshot, with the time in milliseconds', async () => {
    await database.write([insert(7)]);
    const rows = await database.transaction((tx) =>
      tx.read([databaseClock, { name: 'things', text: 'SELECT id FROM thing', values: [] }]),
    );
    expect(rows['things']).toEqual([{ id: 7 }]);
    const [{ now }] = rows['clock'] as [{ now: number }];
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
  });

  it('survives a connection that the server ends between two statements', async () => {
    const work = database.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>({ text: 'SELECT pg_backend_pid() AS pid' });
      await admin.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
      await new Promise((resolve) => setImmediate(resolve));
      await tx.write([insert(1)]);
    });
    await expect(work).rejects.toBeInstanceOf(DatabaseUnavailable);
    expect(await database.transaction((tx) => tx.write([insert(1)]))).toEqual({ 'thing-insert': 1 });
  });

  it('tells an absent database from a refusal', async () => {
    const absent = open('postgres://nobody@127.0.0.1:1/nothing');
    await expect(absent.transaction((tx) => tx.write([insert(1)]))).rejects.toBeInstanceOf(
      DatabaseUnavailable,
    );
    await absent.close();
  });

  it('reads a bigint as a number, and stops rather than rounds', async () => {
    expect(await database.query({ text: 'SELECT 9007199254740991::bigint AS n' })).toEqual([
      { n: 9007199254740991 },
    ]);
    await expect(database.query({ text: 'SELECT 9007199254740993::bigint AS n' })).rejects.toThrow(
      'safe integers',
    );
  });
});

describe('a connection that breaks at COMMIT', () => {
  let proxy: CuttingProxy;
  let through: Database;
  beforeEach(async () => {
    proxy = await cuttingProxy(Number(url.port), url.hostname);
    through = open(Object.assign(new URL(url), { port: String(proxy.port), hostname: '127.0.0.1' }).href);
  });
  afterEach(async () => {
    await through.close();
    await proxy.close();
  });

  it('is an unknown outcome when only the answer is lost: it has committed', async () => {
    proxy.cut = 'answer';
    await expect(through.transaction((tx) => tx.write([insert(1)]))).rejects.toBeInstanceOf(OutcomeUnknown);
    expect(await ids()).toEqual([1]);
  });

  it('is an unknown outcome when COMMIT itself is lost: it has not committed', async () => {
    proxy.cut = 'request';
    await expect(through.transaction((tx) => tx.write([insert(1)]))).rejects.toBeInstanceOf(OutcomeUnknown);
    expect(await ids()).toEqual([]);
  });

  it('uses a fresh connection afterwards', async () => {
    proxy.cut = 'answer';
    await expect(through.transaction((tx) => tx.write([insert(1)]))).rejects.toBeInstanceOf(OutcomeUnknown);
    expect(await through.transaction((tx) => tx.write([insert(2)]))).toEqual({ 'thing-insert': 1 });
  });

  it('is no unknown outcome when it breaks before', async () => {
    const work = through.transaction(async (tx) => {
      await tx.write([insert(1)]);
      proxy.breakAll();
      await tx.write([insert(2)]);
    });
    await expect(work).rejects.toBeInstanceOf(DatabaseUnavailable);
    expect(await ids()).toEqual([]);
  });
});

interface CuttingProxy {
  readonly port: number;
  /** Breaks the connection at the next COMMIT: on its way, or when the server has answered it. */
  cut: 'request' | 'answer' | undefined;
  breakAll(): void;
  close(): Promise<void>;
}

async function cuttingProxy(toPort: number, toHost: string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const listener: Server = createServer((client) => {
    const upstream = connect(toPort, toHost);
    let committing = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (bytes) => {
      const commits = bytes.includes('COMMIT');
      if (commits && proxy.cut === 'request') {
        proxy.cut = undefined;
        end();
        return;
      }
      committing ||= commits && proxy.cut === 'answer';
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (committing && bytes.includes('COMMIT')) {
        proxy.cut = undefined;
        end();
      } else client.write(bytes);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const proxy: CuttingProxy = {
    port: (listener.address() as AddressInfo).port,
    cut: undefined,
    breakAll() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      this.breakAll();
      listener.close();
      await once(listener, 'close');
    },
  };
  return proxy;
}
