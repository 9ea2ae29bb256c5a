import { randomUUID } from 'node:crypto';
import { DependencyUnavailable } from '@faultline/http-client';
import type { ReceivedRecord } from '@faultline/messaging';
import { outboxDepth, outboxPart } from '@faultline/outbox';
import {
  BadSettings,
  type Parts,
  readSettings,
  type Running,
  serviceSettings,
  startService,
} from '@faultline/service';
import { eventually, testBrokers, testDatabase, type TestDatabase } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { withChaos } from './index.js';

const migrations = new URL('../../../transactions/prisma/', import.meta.url);
const token = 'a-token-for-these-tests';
const topic = 'order.events';

let db: TestDatabase;
let tea: Running;
let url: string;
const handled: ReceivedRecord[] = [];
let batches = 0;

@Controller()
class TeaController {
  constructor(@Inject('parts') private readonly parts: Parts) {}

  @Post('orders')
  order(@Body() body: unknown): unknown {
    return { took: body };
  }

  /** Asks itself, as its only dependency. */
  @Get('neighbour')
  async neighbour(): Promise<unknown> {
    const client = this.parts.httpClient({ baseUrl: url, name: 'kettle', timeoutMs: 500 });
    const began = performance.now();
    const answer = await client.get('/stock', z.unknown()).catch((error: unknown) => ({
      name: error instanceof DependencyUnavailable ? error.name : 'another',
      message: String(error),
    }));
    return { answer, took: performance.now() - began };
  }

  @Get('stock')
  stock(): unknown {
    return { tea: 'green' };
  }

  @Get('audit')
  audit(): unknown {
    return {};
  }

  @Post('leaves')
  async pick(): Promise<unknown> {
    await this.parts.database.transaction((tx) =>
      tx.query({ name: 'pick', text: 'INSERT INTO leaf DEFAULT VALUES', values: [] }),
    );
    return {};
  }
}

const start = (env: Readonly<Record<string, string>>): Promise<Running> =>
  startService(
    withChaos({
      name: 'tea',
      title: 'Tea',
      description: 'A service.',
      config: (given) => readSettings(serviceSettings, given),
      migrations,
      module: (parts) => {
        parts.httpClient({ baseUrl: 'http://127.0.0.1:1', name: 'kettle', timeoutMs: 500 });
        return {
          module: class TeaModule {},
          controllers: [TeaController],
          providers: [{ provide: 'parts', useValue: parts }],
        };
      },
      consumers: () => [
        {
          groupId: `chaos-${randomUUID()}`,
          topics: [topic],
          async handle(records) {
            batches += 1;
            handled.push(...records);
          },
        },
      ],
    }),
    {
      PORT: '0',
      DATABASE_URL: db.url,
      KAFKA_BROKERS: testBrokers().join(','),
      FAULTLINE_SERVICE_TOKEN: token,
      ...env,
    },
  );

beforeAll(async () => {
  db = await testDatabase(migrations);
  await db.database.pool.query('CREATE TABLE leaf (id bigserial)');
  tea = await start({ INSTANCE: 'tea-1', FAULTLINE_CHAOS: 'on' });
  url = tea.url;
  await tea.started;
});
afterEach(() => ask('DELETE', 'faults'));
afterAll(async () => {
  await tea?.stop();
  await db?.drop();
});

function ask(method: string, path: string, body?: unknown, at = url): Promise<Response> {
  return fetch(`${at}/chaos${path ? `/${path}` : ''}`, {
    method,
    // A fault that struck here as well could not be ended any more.
    signal: AbortSignal.timeout(5000),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
interface View {
  readonly name: string;
  readonly struck: number;
  readonly expiresAt: string;
}
async function inject(body: unknown, name = 'a-fault'): Promise<View> {
  const answer = await ask('PUT', `faults/${name}`, body);
  if (answer.status !== 200) throw new Error(await answer.text());
  return (await answer.json()) as View;
}
async function running(): Promise<readonly View[]> {
  return ((await (await ask('GET', 'faults')).json()) as { items: View[] }).items;
}
const struck = async (): Promise<number | undefined> => (await running())[0]?.struck;
async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
const get = (path: string, within = 5000): Promise<Response> =>
  fetch(`${url}${path}`, { signal: AbortSignal.timeout(within) });
const post = (path: string, body: unknown = {}): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('/chaos', () => {
  it('is 404 unless it is enabled, with the token and without', async () => {
    const quiet = await start({ INSTANCE: 'tea-2' });
    try {
      expect((await ask('GET', '', undefined, quiet.url)).status).toBe(404);
      expect((await ask('PUT', 'faults/x', { at: 'process', kind: 'crash' }, quiet.url)).status).toBe(404);
      expect((await fetch(`${quiet.url}/chaos/faults`)).status).toBe(404);
    } finally {
      await quiet.stop();
    }
  });

  it('takes on or off as its setting, and nothing else', async () => {
    await expect(start({ INSTANCE: 'tea-3', FAULTLINE_CHAOS: 'yes' })).rejects.toThrow(BadSettings);
  });

  it.each(['GET /', 'GET /faults', 'PUT /faults/x', 'DELETE /faults/x', 'DELETE /faults'])(
    'wants the token for %s',
    async (route) => {
      const [method = '', path = ''] = route.split(' ');
      const answer = await fetch(`${url}/chaos${path}`, {
        method,
        headers: { authorization: 'Bearer another', 'content-type': 'application/json' },
        ...(method === 'PUT' ? { body: JSON.stringify({ at: 'process', kind: 'crash' }) } : {}),
      });
      expect(answer.status).toBe(401);
      expect(await running()).toEqual([]);
    },
  );

  it('says what can be injected, in words', async () => {
    const { places } = (await (await ask('GET', '')).json()) as { places: { at: string }[] };
    expect(places.map(({ at }) => at)).toEqual([
      'http-in',
      'http-out:kettle',
      'database',
      'produce',
      'consume',
      'process',
    ]);
  });

  it('is described with everything else that the service can do', async () => {
    const { paths } = (await (await get('/openapi.json')).json()) as { paths: Record<string, unknown> };
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/chaos', '/chaos/faults', '/chaos/faults/{name}']),
    );
  });

  it('shows a fault with its end and its strikes, and ends it by name', async () => {
    const fault = await inject({ at: 'http-in', kind: 'error', ttlSeconds: 30 }, 'errors');
    expect(fault).toMatchObject({ name: 'errors', rate: 1, struck: 0, ttlSeconds: 30 });
    expect(Date.parse(fault.expiresAt) - Date.now()).toBeLessThanOrEqual(30_500);
    await get('/stock');
    expect(await running()).toMatchObject([{ name: 'errors', struck: 1 }]);
    expect(await (await ask('DELETE', 'faults/errors')).json()).toMatchObject({ struck: 1 });
    expect((await ask('DELETE', 'faults/errors')).status).toBe(404);
    expect((await get('/stock')).status).toBe(200);
  });

  it('refuses what does not exist, with what does', async () => {
    const answer = await ask('PUT', 'faults/x', { at: 'http-out:moon', kind: 'hang' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      errors: [
        { path: 'at', message: expect.stringContaining('http-out:kettle (latency, error, hang, reset)') },
      ],
    });
    expect((await ask('PUT', 'faults/Not-This', { at: 'http-in', kind: 'hang' })).status).toBe(400);
    expect((await ask('PUT', 'faults/x', { at: 'http-in', kind: 'error', rate: 2, for: 1 })).status).toBe(
      400,
    );
    expect(await running()).toEqual([]);
  });

  it('ends a fault by itself when its time is over', async () => {
    await inject({ at: 'http-in', kind: 'error', ttlSeconds: 1 });
    expect((await get('/stock')).status).toBe(503);
    await eventually(async () => expect((await get('/stock')).status).toBe(200), { within: 3000 });
    expect(await running()).toEqual([]);
  });
});

describe('http-in', () => {
  it('latency lets requests wait, and lets them go when it ends', async () => {
    await inject({ at: 'http-in', kind: 'latency', milliseconds: 300 });
    expect(await took(() => get('/stock'))).toBeGreaterThan(290);
    await inject({ at: 'http-in', kind: 'latency', milliseconds: 60_000 });
    const waiting = get('/stock');
    await eventually(async () => expect(await struck()).toBe(1));
    await ask('DELETE', 'faults');
    expect((await waiting).status).toBe(200);
  });

  it('error answers a problem with its status, in the trace that it names', async () => {
    await inject({ at: 'http-in', kind: 'error' });
    const answer = await get('/stock');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(answer.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ status: 503, detail: expect.stringContaining('a-fault') });
    await inject({ at: 'http-in', kind: 'error', status: 418 });
    expect((await post('/orders', { customerId: 'customer-1' })).status).toBe(418);
  });

  it('hang takes requests and never answers', async () => {
    await inject({ at: 'http-in', kind: 'hang' });
    await expect(get('/stock', 400)).rejects.toThrow(/timeout/);
    expect(await struck()).toBe(1);
  });

  it('hang breaks the connection when it ends, so that nobody waits for ever', async () => {
    await inject({ at: 'http-in', kind: 'hang' });
    const waiting = get('/stock').catch((error: unknown) => (error as Error).cause);
    await eventually(async () => expect(await struck()).toBe(1));
    await ask('DELETE', 'faults');
    expect(await waiting).toMatchObject({ code: 'ECONNRESET' });
  });

  it('reset breaks the connection', async () => {
    await inject({ at: 'http-in', kind: 'reset' });
    await expect(get('/stock')).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
  });

  it('strikes as often as its rate says', async () => {
    await inject({ at: 'http-in', kind: 'error', rate: 0.5 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => get('/stock')));
    const failed = answers.filter(({ status }) => status === 503).length;
    expect(failed).toBeGreaterThan(20);
    expect(failed).toBeLessThan(80);
    expect(await struck()).toBe(failed);
  });

  it.each(['/health/live', '/health/ready', '/metrics', '/resilience', '/audit', '/chaos'])(
    'never strikes %s',
    async (path) => {
      await inject({ at: 'http-in', kind: 'reset' });
      await get(path);
      expect(await struck()).toBe(0);
    },
  );

  it('strikes a path that only begins like a spared one', async () => {
    await inject({ at: 'http-in', kind: 'error' });
    expect((await get('/audits')).status).toBe(503);
  });

  it('strikes only the customer that its filter names, whose body was read for it', async () => {
    await inject({ at: 'http-in', kind: 'error', match: { customerId: 'customer-13' } });
    expect((await post('/orders', { customerId: 'customer-1' })).status).toBe(201);
    expect((await post('/orders', { customerId: 'customer-13' })).status).toBe(503);
    expect((await get('/wallets/customer-13')).status).toBe(503);
    expect((await get('/wallets/customer-1')).status).toBe(404);
    expect(await struck()).toBe(2);
  });
});

describe('http-out', () => {
  interface Asked {
    readonly answer: { readonly message?: string; readonly tea?: string };
    readonly took: number;
  }
  const asked = async (): Promise<Asked> => (await (await get('/neighbour')).json()) as Asked;
  const at = 'http-out:kettle';

  it('is not felt while no fault strikes', async () => {
    await inject({ at, kind: 'error', rate: 0 });
    expect((await asked()).answer).toEqual({ tea: 'green' });
  });

  it('latency is felt, and is cut by the client that loses patience', async () => {
    await inject({ at, kind: 'latency', milliseconds: 200 });
    const slow = await asked();
    expect([slow.answer.tea, slow.took > 190]).toEqual(['green', true]);
    await inject({ at, kind: 'latency', milliseconds: 5000 });
    const late = await asked();
    expect(late.answer).toMatchObject({ name: 'DependencyUnavailable' });
    expect(late.took).toBeLessThan(1500);
  });

  it.each([
    ['error', /it answered 503/],
    ['hang', /timeout/],
    ['reset', /fetch failed/],
  ])('%s makes the dependency unavailable', async (kind, message) => {
    await inject({ at, kind });
    const { answer } = await asked();
    expect(answer).toMatchObject({ name: 'DependencyUnavailable', message: expect.stringMatching(message) });
    expect(await struck()).toBe(1);
  });
});

describe('database', () => {
  const leaves = async (): Promise<number> =>
    (await db.database.pool.query('SELECT count(*)::int AS n FROM leaf')).rows[0].n as number;

  it('latency makes a transaction slow', async () => {
    await inject({ at: 'database', kind: 'latency', milliseconds: 300 });
    expect(await took(() => post('/leaves'))).toBeGreaterThan(290);
  });

  it('error is a database without a connection: 503, nothing done, not ready', async () => {
    const before = await leaves();
    await inject({ at: 'database', kind: 'error' });
    expect((await post('/leaves')).status).toBe(503);
    expect((await get('/health/ready')).status).toBe(503);
    expect((await get('/health/live')).status).toBe(200);
    await ask('DELETE', 'faults');
    expect(await leaves()).toBe(before);
    expect((await get('/health/ready')).status).toBe(200);
  });

  it('commit-unknown does it and cannot say so', async () => {
    const before = await leaves();
    await inject({ at: 'database', kind: 'commit-unknown' });
    const answer = await post('/leaves');
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ type: expect.stringMatching(/outcome-unknown$/) });
    expect(await leaves()).toBe(before + 1);
  });
});

describe('messages', () => {
  const send = async (orderId: string): Promise<void> => {
    const message = {
      kind: { type: 'faultline.test.note.v1', topic },
      body: { customerId: 'customer-1' },
      orderId,
      id: randomUUID(),
      correlationId: orderId,
      causationId: null,
      deadline: null,
      traceparent: null,
    };
    await db.database.write([outboxPart([message], { source: '/tea', partitionsOf: () => 3, now: 0 })]);
    tea.parts.hint();
  };
  const ofOrder = (orderId: string): readonly ReceivedRecord[] =>
    handled.filter(({ key }) => key?.toString() === orderId);
  const arrives = (orderId: string, times: number): Promise<void> =>
    eventually(() => expect(ofOrder(orderId)).toHaveLength(times), { within: 20_000 });
  /** A message of another order was sent later and is there: what has not come by now does not come. */
  const andNoMore = async (orderId: string, times: number): Promise<void> => {
    await ask('DELETE', 'faults');
    const other = randomUUID();
    await send(other);
    await arrives(other, 1);
    expect(ofOrder(orderId)).toHaveLength(times);
  };

  beforeAll(async () => {
    await eventually(() => expect([...tea.parts.consumers().values()][0]?.joined).toBe(true), {
      within: 30_000,
    });
  });

  it('produce duplicate: it is in its topic twice', async () => {
    const orderId = randomUUID();
    await inject({ at: 'produce', kind: 'duplicate', match: { orderId } });
    await send(orderId);
    await arrives(orderId, 2);
    expect(new Set(ofOrder(orderId).map(({ offset }) => offset)).size).toBe(2);
    expect(new Set(ofOrder(orderId).map(({ headers }) => String(headers['ce_id']))).size).toBe(1);
    expect(await struck()).toBe(1);
    await andNoMore(orderId, 2);
  });

  it('produce error: it stays in the outbox until the fault ends', async () => {
    const orderId = randomUUID();
    await inject({ at: 'produce', kind: 'error' });
    await send(orderId);
    await eventually(async () => expect(await struck()).toBeGreaterThan(1));
    expect((await outboxDepth(db.database)).depth).toBe(1);
    expect(ofOrder(orderId)).toEqual([]);
    await ask('DELETE', 'faults');
    await arrives(orderId, 1);
  });

  it('produce latency: it comes later', async () => {
    const orderId = randomUUID();
    await inject({ at: 'produce', kind: 'latency', milliseconds: 500, match: { orderId } });
    expect(await took(async () => (await send(orderId), await arrives(orderId, 1)))).toBeGreaterThan(490);
  });

  it('consume duplicate: it is handled once more, under its own offset', async () => {
    const orderId = randomUUID();
    await inject({ at: 'consume', kind: 'duplicate', match: { topic, customerId: 'customer-1' } });
    await send(orderId);
    await arrives(orderId, 2);
    expect(new Set(ofOrder(orderId).map(({ offset }) => offset)).size).toBe(1);
    await andNoMore(orderId, 2);
  });

  it('consume error: the batch comes again until the fault ends, and nothing was handled meanwhile', async () => {
    const orderId = randomUUID();
    await inject({ at: 'consume', kind: 'error', match: { orderId } });
    await send(orderId);
    const before = batches;
    await eventually(async () => expect(await struck()).toBeGreaterThan(1), { within: 10_000 });
    expect([batches, ofOrder(orderId)]).toEqual([before, []]);
    await ask('DELETE', 'faults');
    await arrives(orderId, 1);
  });

  it('consume latency: it is handled later', async () => {
    const orderId = randomUUID();
    await inject({ at: 'consume', kind: 'latency', milliseconds: 500, match: { orderId } });
    expect(await took(async () => (await send(orderId), await arrives(orderId, 1)))).toBeGreaterThan(490);
  });
});

describe('process', () => {
  it('block: the event loop stands still', async () => {
    const block = { at: 'process', kind: 'block', milliseconds: 400 };
    // Whoever waits for the answer turns with the same event loop here.
    expect(await took(() => inject(block))).toBeGreaterThan(390);
  });
});

it('a stop is not held up by what a fault makes wait', async () => {
  const other = await start({ INSTANCE: 'tea-4', FAULTLINE_CHAOS: 'on' });
  await other.started;
  await ask('PUT', 'faults/hang', { at: 'http-in', kind: 'hang' }, other.url);
  const hanging = fetch(`${other.url}/stock`).catch(() => 'broken');
  await eventually(async () => {
    const page = (await (await ask('GET', 'faults', undefined, other.url)).json()) as { items: View[] };
    expect(page.items[0]?.struck).toBe(1);
  });
  // Of so much time a third is for requests that do not end by themselves.
  expect(await took(() => other.stop(12_000))).toBeLessThan(3000);
  expect(await hanging).toBe('broken');
});
