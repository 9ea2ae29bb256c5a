import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AuthorizeCard, CardAuthorization, CardBook, CardBookEntries } from '@faultline/contracts';
import { eventually } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

// The built app in a process of its own, as npm start runs it: kill -9 reaches nothing less.
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const children: ChildProcess[] = [];
let folder: string;
let url: string;

function run(): { readonly child: ChildProcess; readonly exited: Promise<number | null> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: {
      PORT: new URL(url).port,
      INSTANCE: 'payment-gateway-1',
      GATEWAY_BOOKS: join(folder, 'books.sqlite'),
    },
    stdio: 'ignore',
  });
  children.push(child);
  return { child, exited: once(child, 'exit').then(([code]) => code as number | null) };
}

async function start(): Promise<ReturnType<typeof run>> {
  const started = run();
  await eventually(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200), {
    within: 20_000,
  });
  return started;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const reading = (path: string): Promise<Response> => fetch(`${url}${path}`);
const asking = (path: string, key: string, body?: unknown): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'idempotency-key': key,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const of = (cardToken: string, amount = 900): AuthorizeCard => ({
  reference: randomUUID(),
  amount,
  currency: 'EUR',
  cardToken,
});
const authorize = (card: AuthorizeCard, key = card.reference): Promise<Response> =>
  asking('/authorizations', key, card);
const change = (card: AuthorizeCard, verb: string): Promise<Response> =>
  asking(`/authorizations/${card.reference}/${verb}`, `${verb}:${card.reference}`);
const answered = async (response: Response): Promise<CardAuthorization> =>
  CardAuthorization.parse(await response.json());
const lookUp = (card: AuthorizeCard): Promise<Response> => reading(`/authorizations/${card.reference}`);
const book = async (): Promise<CardBook> => CardBook.parse(await (await reading('/book')).json());

async function entries(limit = 500): Promise<readonly CardAuthorization[]> {
  const items: CardAuthorization[] = [];
  for (let cursor: string | null = '0'; cursor !== null;) {
    const page = CardBookEntries.parse(
      await (await reading(`/book/entries?limit=${limit}&cursor=${cursor}`)).json(),
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

describe('the gateway', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gateway-'));
    url = `http://127.0.0.1:${await freePort()}`;
    await start();
  });
  afterAll(cleanUp);

  it('describes itself, and names the trace of every answer', async () => {
    const described = (await (await reading('/openapi.json')).json()) as { openapi: string; paths: object };
    expect(described.openapi).toMatch(/^3\.1/);
    expect(Object.keys(described.paths)).toEqual(
      expect.arrayContaining(['/authorizations', '/authorizations/{reference}/capture', '/book/entries']),
    );
    expect((await reading('/book')).headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(await (await reading('/metrics')).text()).toContain('http_server_request_duration_count');
  });

  it('refuses in problem details, with every error at once', async () => {
    const refused = await authorize({ ...of('card-ok', -1), reference: 'x' }, 'a');
    expect([refused.status, refused.headers.get('content-type')]).toEqual([
      400,
      expect.stringContaining('application/problem+json'),
    ]);
    const { errors } = (await refused.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path).toSorted()).toEqual(['amount', 'reference']);
    const card = of('card-ok');
    expect((await change(card, 'capture')).status).toBe(404);
    await authorize(card);
    const wrong = await change(card, 'refund');
    expect([wrong.status, await wrong.json()]).toEqual([
      409,
      expect.objectContaining({ type: expect.stringMatching(/wrong-status$/) }),
    ]);
  });

  it('answers a key once and again, and nobody else by it', async () => {
    const card = of('card-ok');
    const first = await answered(await authorize(card));
    await change(card, 'capture');
    expect(await answered(await authorize(card))).toEqual(first);
    expect((await authorize({ ...card, amount: 1 }, card.reference)).status).toBe(422);
    expect((await authorize(card, 'another')).status).toBe(422);
  });

  it('is found by a lookup when its answer never comes', async () => {
    const silent = of('card-timeout');
    await expect(
      fetch(`${url}/authorizations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': silent.reference },
        body: JSON.stringify(silent),
        signal: AbortSignal.timeout(300),
      }),
    ).rejects.toThrow('timeout');
    expect((await answered(await lookUp(silent))).status).toBe('AUTHORIZED');
    expect((await answered(await change(silent, 'void'))).status).toBe('VOIDED');
  });

  it('has a book whose sums are those of its entries', async () => {
    for (const [verbs, amount] of [
      [['capture'], 10],
      [['capture', 'refund'], 100],
      [['void'], 1000],
      [[], 10_000],
    ] as const) {
      const card = of('card-ok', amount);
      await authorize(card);
      for (const verb of verbs) expect((await change(card, verb)).status).toBe(200);
    }
    const all = await entries(3);
    const sum = (...statuses: string[]): number =>
      all.reduce((total, { status, amount }) => total + (statuses.includes(status) ? amount : 0), 0);
    expect(await book()).toEqual({
      authorizations: all.length,
      held: sum('AUTHORIZED'),
      captured: sum('CAPTURED', 'REFUNDED'),
      refunded: sum('REFUNDED'),
    });
    expect(new Set(all.map(({ reference }) => reference)).size).toBe(all.length);
  });
});

describe('the gateway, when its process ends,', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gateway-'));
    url = `http://127.0.0.1:${await freePort()}`;
  });
  afterEach(cleanUp);

  it('has done nothing when that was kill -9 in the middle of a slow card', async () => {
    const { child, exited } = await start();
    const slow = of('card-slow');
    const asked = authorize(slow).catch(() => 'cut');
    await eventually(async () => expect((await authorize(slow)).status).toBe(409));
    child.kill('SIGKILL');
    expect([await asked, await exited]).toEqual(['cut', null]);
    await start();
    expect((await lookUp(slow)).status).toBe(404);
    const again = authorize(slow);
    await eventually(async () => {
      const twin = await authorize(slow);
      expect([twin.status, twin.headers.get('retry-after')]).toEqual([409, '1']);
    });
    // 404 is no proof: it comes all the same.
    expect((await lookUp(slow)).status).toBe(404);
    expect((await answered(await again)).status).toBe('AUTHORIZED');
    expect((await answered(await lookUp(slow))).status).toBe('AUTHORIZED');
  });

  it('loses no answer that it gave, and does nothing twice, whenever kill -9 comes', async () => {
    const given = new Map<string, CardAuthorization>();
    const asked: AuthorizeCard[] = [];
    let end = false;
    const customer = async (): Promise<void> => {
      while (!end) {
        const card = of('card-ok', 1 + asked.length);
        asked.push(card);
        try {
          const first = await answered(await authorize(card));
          given.set(card.reference, first);
          const captured = await answered(await change(card, 'capture'));
          given.set(`capture:${card.reference}`, captured);
        } catch {
          // Cut off by the kill: what it meant is found out below.
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    let gateway = await start();
    const customers = Array.from({ length: 8 }, customer);
    for (const ms of [150, 310]) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      gateway.child.kill('SIGKILL');
      await gateway.exited;
      gateway = await start();
    }
    end = true;
    await Promise.all(customers);
    expect(given.size).toBeGreaterThan(50);
    for (const card of asked) {
      const again = await answered(await authorize(card));
      const before = given.get(card.reference);
      if (before) expect(again).toEqual(before);
      expect((await answered(await change(card, 'capture'))).status).toBe('CAPTURED');
    }
    expect(await book()).toEqual({
      authorizations: asked.length,
      held: 0,
      captured: asked.reduce((total, { amount }) => total + amount, 0),
      refunded: 0,
    });
  });

  it('answers by SIGTERM what is slow, cuts what is silent, and ends with 0 in its time', async () => {
    const { child, exited } = await start();
    const [slow, silent] = [of('card-slow'), of('card-timeout')];
    const answer = authorize(slow);
    const silence = authorize(silent).catch(() => 'cut');
    await eventually(async () => expect((await authorize(slow)).status).toBe(409));
    await eventually(async () => expect((await lookUp(silent)).status).toBe(200));
    const begun = performance.now();
    child.kill('SIGTERM');
    expect((await answered(await answer)).status).toBe('AUTHORIZED');
    expect([await silence, await exited]).toEqual(['cut', 0]);
    expect(performance.now() - begun).toBeLessThan(2000);
    await start();
    expect((await book()).authorizations).toBe(2);
  });

  it('leaves its books to one at a time', async () => {
    await start();
    url = `http://127.0.0.1:${await freePort()}`;
    expect(await run().exited).toBe(1);
  });
});

async function cleanUp(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
  }
  rmSync(folder, { recursive: true });
}
