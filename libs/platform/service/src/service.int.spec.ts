import { createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { migrate, NameTaken } from '@faultline/database';
import { eventually, testDatabase } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Running, type Service, startService } from './service.js';
import { readSettings, serviceSettings } from './settings.js';

const migrations = new URL('../../../transactions/prisma/', import.meta.url);
let db: Awaited<ReturnType<typeof testDatabase>>;
const running: Running[] = [];
/** Takes connections and never says a word. */
let silent: Server;
const sockets = new Set<Socket>();

beforeAll(async () => {
  db = await testDatabase(migrations);
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});
afterEach(() => Promise.all(running.splice(0).map((each) => each.stop())));
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  silent.close();
  await db.drop();
});

const brokerThatIs = (what: 'absent' | 'frozen'): string => {
  const address = silent.address();
  return what === 'frozen' && typeof address === 'object' ? `127.0.0.1:${address?.port}` : '127.0.0.1:1';
};

async function start(
  more: Partial<Service> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const service: Service = {
    name: 'tea',
    title: 'Tea',
    description: 'A service.',
    config: (given) => readSettings(serviceSettings, given),
    migrations,
    module: () => ({ module: class TeaModule {} }),
    ...more,
  };
  const started = await startService(service, {
    PORT: '0',
    INSTANCE: 'tea-1',
    DATABASE_URL: db.url,
    KAFKA_BROKERS: brokerThatIs('absent'),
    ...env,
  });
  running.push(started);
  return started;
}
const ready = (url: string): Promise<number> => fetch(`${url}/health/ready`).then(({ status }) => status);

describe('a service', () => {
  it('is ready once its database is migrated, without a broker, and stops with nothing left', async () => {
    const tea = await start();
    await tea.started;
    expect(await ready(tea.url)).toBe(200);
    expect(await migrate(db.url, fileURLToPath(migrations))).toEqual([]);
    expect(await tea.stop()).toEqual([]);
    await expect(ready(tea.url)).rejects.toThrow('fetch failed');
  });

  it('refuses to start while a living process has its name, and starts when that has ended', async () => {
    const elder = await start();
    await elder.started;
    const younger = await start();
    await expect(younger.started).rejects.toThrow(NameTaken);
    expect(await ready(younger.url)).toBe(503);
    const other = await start({}, { INSTANCE: 'tea-2' });
    await other.started;
    await elder.stop();
    const successor = await start();
    await successor.started;
  });

  it('prepares itself again when the database was lost in the middle of it', async () => {
    let tried = 0;
    const tea = await start({
      async prepare({ database }) {
        tried += 1;
        if (tried === 1)
          await database.query({
            name: 'end',
            text: 'SELECT pg_terminate_backend(pg_backend_pid())',
            values: [],
          });
      },
    });
    await tea.started;
    expect(tried).toBe(2);
  });

  it('cannot go on when it is refused, and not for want of a connection, what it prepares', async () => {
    const tea = await start({ prepare: () => Promise.reject(new Error('no such shelf')) });
    await expect(tea.started).rejects.toThrow('no such shelf');
  });
});

describe('a stop', () => {
  it.each(['absent', 'frozen'] as const)('comes to its end while the broker is %s', async (what) => {
    const tea = await start({}, { KAFKA_BROKERS: brokerThatIs(what) });
    await tea.started;
    await eventually(async () => expect(await ready(tea.url)).toBe(200));
    const begun = performance.now();
    await tea.stop();
    expect(performance.now() - begun).toBeLessThan(4400);
  });

  it('leaves a worker behind that does not end, and names it', async () => {
    const others: string[] = [];
    const tea = await start({
      workers: () => [
        { start: () => undefined, stop: () => new Promise<void>(() => undefined) },
        { start: () => undefined, stop: async () => void others.push('ended') },
      ],
    });
    await tea.started;
    const begun = performance.now();
    expect(await tea.stop(1000)).toEqual(['workers']);
    expect(performance.now() - begun).toBeLessThan(1400);
    expect(others).toEqual(['ended']);
  });

  it('waits neither for a database that has frozen nor for requests that wait for it', async () => {
    const tea = await start({}, { DATABASE_URL: `postgres://nobody@${brokerThatIs('frozen')}/tea` });
    const asked = ready(tea.url).catch(() => 0);
    const begun = performance.now();
    expect(await tea.stop(1000)).toContain('start');
    expect(performance.now() - begun).toBeLessThan(1400);
    await asked;
  });
});
