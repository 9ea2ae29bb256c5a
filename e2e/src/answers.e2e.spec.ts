import { randomUUID } from 'node:crypto';
import { OrderView } from '@faultline/contracts';
import { eventually } from '@faultline/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Answer,
  type Ask,
  audit,
  choosePorts,
  Client,
  databaseProxy,
  type DatabaseProxy,
  type OrderBody,
  send,
  type ServiceName,
  startSystem,
  type System,
} from '@faultline/harness';
import { z } from 'zod';

let system: System;
let client: Client;
/** Between the order service and its database. */
let proxy: DatabaseProxy;

const services: readonly ServiceName[] = ['order', 'inventory', 'payment'];
const aMug: OrderBody = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };
const wait = 'wait=20';

beforeAll(async () => {
  const ports = await choosePorts();
  proxy = await databaseProxy(ports.postgres);
  system = await startSystem('answers', {
    ports,
    serviceEnv: {
      order: { DATABASE_URL: `postgres://faultline:faultline@127.0.0.1:${proxy.port}/faultline_order` },
    },
  });
  client = new Client(system.urls);
});

afterAll(async () => {
  await system?.stop();
  await proxy?.close();
});

afterEach(async () => {
  proxy.mend();
  await system.whenReady();
});

/** A response as every response is: with its trace, and a problem when it is none of success. */
function wellFormed(answer: Answer): Answer {
  expect(answer.headers['x-trace-id']).toMatch(/^[0-9a-f]{32}$/);
  if (answer.status >= 400) {
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toEqual(
      expect.objectContaining({
        type: expect.any(String),
        title: expect.any(String),
        status: answer.status,
      }),
    );
  }
  return answer;
}

async function get(path: string, service: ServiceName = 'order', ask: Ask = {}): Promise<Answer> {
  return wellFormed(await send(`${system.urls[service]}${path}`, ask));
}

async function place(body: OrderBody, how: Parameters<Client['ask']>[1] = {}): Promise<Answer> {
  return wellFormed(await client.ask(body, how));
}

/** POST /orders with whatever the test wants to be wrong. */
async function post(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return wellFormed(
    await send(`${system.urls.order}/orders`, {
      method: 'POST',
      body,
      headers: { 'idempotency-key': randomUUID(), ...headers },
    }),
  );
}

const orderIn = (answer: Answer): OrderView => OrderView.parse(answer.json());
const errorsIn = (answer: Answer): { path: string; message: string }[] =>
  z.object({ errors: z.array(z.object({ path: z.string(), message: z.string() })) }).parse(answer.json())
    .errors;
const detailOf = (answer: Answer): string => z.object({ detail: z.string() }).parse(answer.json()).detail;

describe('POST /orders', () => {
  it('answers 202 with the order and where it is, and that is durable', async () => {
    const answer = await place(aMug);
    expect(answer.status).toBe(202);
    const order = orderIn(answer);
    expect(answer.headers.location).toBe(`/orders/${order.orderId}`);
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
    expect(order).toEqual(
      expect.objectContaining({
        customerId: 'customer-1',
        protocol: 'saga',
        payment: { method: 'wallet' },
        lines: [{ sku: 'mug', quantity: 1, unitPrice: 990 }],
        total: 990,
        currency: 'EUR',
        priceSource: 'live',
      }),
    );
    expect(Date.parse(order.deadline) - Date.parse(order.createdAt)).toBe(120_000);
    expect((await get(`/orders/${order.orderId}`)).status).toBe(200);
  });

  it('answers 200 with the decided order to Prefer: wait', async () => {
    const answer = await place(aMug, { prefer: wait });
    expect(answer.status).toBe(200);
    expect(orderIn(answer).status).toBe('APPROVED');
  });

  it('answers 202 to Prefer: wait when the order is not decided in time, and 409 to its cancellation', async () => {
    await system.process('payment').stop();
    try {
      const began = performance.now();
      const answer = await place(aMug, { prefer: 'wait=1' });
      expect(performance.now() - began).toBeGreaterThan(900);
      expect(answer.status).toBe(202);
      const { orderId, status, settlement } = orderIn(answer);
      expect([status, settlement]).toEqual(['PENDING', 'NONE']);
      const cancel = await get(`/orders/${orderId}/cancel`, 'order', { method: 'POST' });
      expect(cancel.status).toBe(409);
      expect(Number(cancel.headers['retry-after'])).toBeGreaterThan(0);
    } finally {
      await system.process('payment').start();
    }
  });

  it('answers a repeated key with the same order as it stands now, 200 when it is decided', async () => {
    const key = randomUUID();
    const first = orderIn(await place(aMug, { key, prefer: wait }));
    // The same order in other words: members in another order, defaults spelled out.
    const same = {
      protocol: 'saga',
      payment: { method: 'wallet' },
      lines: [{ quantity: 1, sku: 'mug' }],
      customerId: 'customer-1',
    } as const;
    const again = await place(same, { key });
    expect(again.status).toBe(200);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.headers.location).toBe(`/orders/${first.orderId}`);
    expect(orderIn(again).status).toBe('APPROVED');
  });

  it('answers a repeated key with 202 while the order is open, and honours Prefer', async () => {
    const key = randomUUID();
    await system.process('payment').stop();
    try {
      const first = await place(aMug, { key });
      const again = await place(aMug, { key });
      expect(again.status).toBe(202);
      expect(again.headers['idempotency-replayed']).toBe('true');
      expect(again.headers.location).toBe(first.headers.location);
    } finally {
      await system.process('payment').start();
    }
    const decided = await place(aMug, { key, prefer: wait });
    expect(decided.status).toBe(200);
    expect(decided.headers['idempotency-replayed']).toBe('true');
    expect(orderIn(decided).status).toBe('APPROVED');
  });

  it('answers 400 with all errors at once, and the key stays free', async () => {
    const key = randomUUID();
    const answer = await post(
      {
        customerId: '',
        lines: [
          { sku: 'mug', quantity: 0 },
          { sku: 'teapot', quantity: 1, gift: true },
        ],
        protocol: 'carrier-pigeon',
        discount: 5,
      },
      { 'idempotency-key': key },
    );
    expect(answer.status).toBe(400);
    expect(errorsIn(answer).map(({ path }) => path)).toEqual(
      expect.arrayContaining(['customerId', 'lines.0.quantity', 'lines.1.gift', 'protocol', 'discount']),
    );
    const valid = await place(aMug, { key });
    expect(valid.status).toBe(202);
    expect(valid.headers['idempotency-replayed']).toBeUndefined();
  });

  it.each([
    ['no lines', { ...aMug, lines: [] }],
    ['51 lines', { ...aMug, lines: Array.from({ length: 51 }, (_, n) => ({ sku: `s-${n}`, quantity: 1 })) }],
    ['a SKU twice', { ...aMug, lines: [...aMug.lines, ...aMug.lines] }],
    ['a quantity of 1001', { ...aMug, lines: [{ sku: 'mug', quantity: 1001 }] }],
    ['half a mug', { ...aMug, lines: [{ sku: 'mug', quantity: 0.5 }] }],
    ['a quantity in words', { ...aMug, lines: [{ sku: 'mug', quantity: '1' }] }],
    ['no customer', { lines: aMug.lines }],
    ['a card without token', { ...aMug, payment: { method: 'card' } }],
    ['an unknown member of the payment', { ...aMug, payment: { method: 'wallet', tip: 1 } }],
    ['U+0000 in a string', { ...aMug, customerId: 'customer-1\u0000' }],
    ['U+0000 in the name of a member', { ...aMug, 'a\u0000': 1 }],
    ['a list', [aMug]],
    ['null', null],
    ['half a JSON', '{"customerId":'],
    ['nothing', ''],
  ])('answers 400 to %s', async (_, body) => {
    const answer = await post(body, { 'content-type': 'application/json' });
    expect(answer.status).toBe(400);
    expect(errorsIn(answer).length).toBeGreaterThan(0);
  });

  it.each([
    ['missing', {}],
    ['empty', { 'idempotency-key': '' }],
    ['of 256 characters', { 'idempotency-key': 'k'.repeat(256) }],
    ['with a character that is not printable', { 'idempotency-key': 'tab\there' }],
    ['beyond ASCII', { 'idempotency-key': 'clé' }],
  ])('answers 400 when the key is %s', async (_, headers) => {
    const answer = wellFormed(
      await send(`${system.urls.order}/orders`, { method: 'POST', body: aMug, headers }),
    );
    expect(answer.status).toBe(400);
    expect(errorsIn(answer).map(({ path }) => path.toLowerCase())).toContain('idempotency-key');
  });

  it('takes a key of 255 characters', async () => {
    expect((await place(aMug, { key: `${randomUUID()} ${'~'.repeat(255 - 37)}` })).status).toBe(202);
  });

  it('answers 422 to a key that was used for another body', async () => {
    const key = randomUUID();
    const first = await place(aMug, { key });
    const other = await post({ ...aMug, lines: [{ sku: 'mug', quantity: 2 }] }, { 'idempotency-key': key });
    expect(other.status).toBe(422);
    expect((await place(aMug, { key })).headers.location).toBe(first.headers.location);
  });

  it('answers 422 to an unknown SKU, names it, and the key stays free', async () => {
    const key = randomUUID();
    const lines = [
      { sku: 'mug', quantity: 1 },
      { sku: 'unicorn', quantity: 1 },
    ];
    const answer = await post({ ...aMug, lines }, { 'idempotency-key': key });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('unicorn');
    expect((await place(aMug, { key })).status).toBe(202);
  });

  it.each([
    ['choreography', { ...aMug, protocol: 'choreography' }],
    ['TCC', { ...aMug, protocol: 'tcc' }],
    ['2PC', { ...aMug, protocol: '2pc' }],
    ['2PC with a card', { ...aMug, protocol: '2pc', payment: { method: 'card', cardToken: 'card-ok' } }],
  ])('answers 422 to what it cannot carry yet, and says so: %s', async (_, body) => {
    const answer = await post(body);
    expect(answer.status).toBe(422);
    expect(detailOf(answer)).toMatch(/available|cannot/);
  });

  it('answers 413 to a body beyond 64 KiB', async () => {
    const answer = await post({ ...aMug, customerId: 'c'.repeat(65 * 1024) });
    expect(answer.status).toBe(413);
  });

  it.each([
    ['text', 'text/plain'],
    ['a form', 'application/x-www-form-urlencoded'],
  ])('answers 415 to %s', async (_, type) => {
    const answer = await post(JSON.stringify(aMug), { 'content-type': type });
    expect(answer.status).toBe(415);
  });

  it('answers 503 with Retry-After when inventory is away and no price is kept; a known key is answered all the same', async () => {
    const known = randomUUID();
    const fresh = randomUUID();
    const first = orderIn(await place(aMug, { key: known, prefer: wait }));
    await system.process('inventory').stop();
    try {
      await system.process('order').restart();
      await system.whenReady({ names: ['order'] });
      const refused = await place(aMug, { key: fresh });
      expect(refused.status).toBe(503);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      const replay = await place(aMug, { key: known });
      expect(replay.status).toBe(200);
      expect(replay.headers['idempotency-replayed']).toBe('true');
      expect(orderIn(replay).orderId).toBe(first.orderId);
    } finally {
      await system.process('inventory').start();
    }
    await system.whenReady();
    const accepted = await place(aMug, { key: fresh });
    expect(accepted.status).toBe(202);
    expect(accepted.headers['idempotency-replayed']).toBeUndefined();
  });

  it('takes orders at kept prices while inventory is away, and says so', async () => {
    await place(aMug, { prefer: wait });
    await system.process('inventory').stop();
    try {
      const order = await eventually(
        async () => {
          const answer = await place({ ...aMug, customerId: 'customer-2' });
          expect(answer.status).toBe(202);
          const accepted = orderIn(answer);
          expect(accepted.priceSource).toBe('cached');
          return accepted;
        },
        // Until then prices count as fresh.
        { within: 15_000, every: 500 },
      );
      expect(order.total).toBe(990);
    } finally {
      await system.process('inventory').start();
    }
  });

  it('answers 503 with Retry-After when the database is away, and the key stays free', async () => {
    const key = randomUUID();
    proxy.cut();
    const refused = await place(aMug, { key });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    proxy.mend();
    const accepted = await place(aMug, { key });
    expect(accepted.status).toBe(202);
    expect(accepted.headers['idempotency-replayed']).toBeUndefined();
  });

  it('answers 500 outcome-unknown when the connection breaks at the commit that happened; the same key finds the order', async () => {
    const key = randomUUID();
    const body = { ...aMug, customerId: 'customer-71' };
    await place(aMug, { prefer: wait });
    proxy.breakAt('customer-71', 'after commit');
    const unknown = await place(body, { key });
    expect(unknown.status).toBe(500);
    expect(unknown.json()).toEqual(
      expect.objectContaining({ type: expect.stringMatching(/outcome-unknown$/) }),
    );
    const resolved = await place(body, { key, prefer: wait });
    expect(resolved.status).toBe(200);
    expect(resolved.headers['idempotency-replayed']).toBe('true');
  });

  it('answers 500 outcome-unknown when the connection breaks before the commit; the same key places the order', async () => {
    const key = randomUUID();
    const body = { ...aMug, customerId: 'customer-72' };
    await place(aMug, { prefer: wait });
    proxy.breakAt('customer-72', 'before it arrives');
    const unknown = await place(body, { key });
    expect(unknown.status).toBe(500);
    expect(unknown.json()).toEqual(
      expect.objectContaining({ type: expect.stringMatching(/outcome-unknown$/) }),
    );
    const resolved = await place(body, { key });
    expect(resolved.status).toBe(202);
    expect(resolved.headers['idempotency-replayed']).toBeUndefined();
  });

  it('accepts one of 20 twins that come at once, and answers the others as replays of it or 409', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => place(aMug, { key })));
    for (const answer of answers) {
      expect([200, 202, 409]).toContain(answer.status);
      if (answer.status === 409) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    const accepted = answers.filter(({ status }) => status !== 409);
    expect(new Set(accepted.map(({ headers }) => headers.location)).size).toBe(1);
    expect(accepted.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1);
  });
});

describe('every answer', () => {
  it('continues the trace that the caller brings, and the order keeps it', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const answer = await place(aMug, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
    expect(answer.headers['x-trace-id']).toBe(traceId);
    expect(orderIn(answer).traceId).toBe(traceId);
  });

  it.each([
    ['an unknown order', 'order', 'GET', `/orders/${randomUUID()}`],
    ['an id that is none', 'order', 'GET', '/orders/not-an-id'],
    ['the timeline of an unknown order', 'order', 'GET', `/orders/${randomUUID()}/timeline`],
    ['the stream of an unknown order', 'order', 'GET', `/orders/${randomUUID()}/stream`],
    ['the cancellation of an unknown order', 'order', 'POST', `/orders/${randomUUID()}/cancel`],
    ['an unknown saga', 'order', 'GET', `/sagas/${randomUUID()}`],
    ['an unknown SKU', 'inventory', 'GET', '/stock/unicorn'],
    ['an unknown wallet', 'payment', 'GET', '/wallets/nobody'],
    ['an address that leads nowhere', 'payment', 'GET', '/nowhere'],
    ['a fault, for chaos is not enabled', 'order', 'PUT', '/chaos/faults/one'],
  ] as const)('is 404 as a problem for %s', async (_, service, method, path) => {
    expect((await get(path, service, { method })).status).toBe(404);
  });

  it('is 409 to the cancellation of a decided order, for cancelling comes later', async () => {
    const { orderId } = orderIn(await place(aMug, { prefer: wait }));
    const answer = await get(`/orders/${orderId}/cancel`, 'order', { method: 'POST' });
    expect(answer.status).toBe(409);
    expect(detailOf(answer)).toContain('later');
  });

  it.each([
    ['order', 'POST', `/sagas/${randomUUID()}/resume`],
    ['order', 'POST', `/sagas/${randomUUID()}/compensate`],
    ['order', 'POST', `/sagas/${randomUUID()}/skip`],
    ...services.flatMap((service) => [
      [service, 'POST', `/dead-letters/${randomUUID()}/redrive`] as const,
      [service, 'GET', `/internal/journal/${randomUUID()}`] as const,
    ]),
  ] as const)('is 401 without the service token: %s %s %s', async (service, method, path) => {
    expect((await get(path, service, { method })).status).toBe(401);
    const wrong = await get(path, service, { method, headers: { authorization: 'Bearer guessed' } });
    expect(wrong.status).toBe(401);
    const right = await get(path, service, { method, headers: { authorization: `Bearer ${system.token}` } });
    expect(right.status).not.toBe(401);
  });

  it('is 400 to a query that is not understood', async () => {
    const answer = await get('/orders?status=LOST&limit=0');
    expect(answer.status).toBe(400);
    expect(errorsIn(answer).map(({ path }) => path)).toEqual(expect.arrayContaining(['status', 'limit']));
  });
});

describe('deliveries and deposits', () => {
  it.each([
    ['inventory', '/stock/mug/deliveries', { quantity: 7 }, { quantity: 8 }],
    ['payment', '/wallets/customer-3/deposits', { amount: 700 }, { amount: 800 }],
  ] as const)(
    'take effect once per key, and 422 with another body: %s',
    async (service, path, body, other) => {
      const key = randomUUID();
      const ask = (what: unknown): Promise<Answer> =>
        get(path, service, { method: 'POST', body: what, headers: { 'idempotency-key': key } });
      const first = await ask(body);
      const again = await ask(body);
      expect([first.status, again.status]).toEqual([200, 200]);
      expect(again.headers['idempotency-replayed']).toBe('true');
      expect(again.json()).toEqual(first.json());
      expect((await ask(other)).status).toBe(422);
      expect((await get(path, service, { method: 'POST', body })).status).toBe(400);
      if (service === 'inventory') client.delivered.set('mug', 7);
      else client.deposited.set('customer-3', 700);
    },
  );
});

describe.each(services)('the %s service', (service) => {
  it('describes itself in OpenAPI 3.1, in which every reference leads somewhere', async () => {
    const answer = await get('/openapi.json', service);
    expect(answer.status).toBe(200);
    const document = z
      .looseObject({
        openapi: z.string().startsWith('3.1'),
        info: z.looseObject({ title: z.string(), version: z.string() }),
        paths: z.record(z.string().startsWith('/'), z.record(z.string(), z.looseObject({}))),
      })
      .parse(answer.json());
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    expect(operations.length).toBeGreaterThan(5);
    for (const operation of operations) expect(Object.keys(operation['responses'] ?? {})).not.toHaveLength(0);
    const ids = operations.map((operation) => operation['operationId']);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, reference = ''] of answer.text.matchAll(/"\$ref":"([^"]+)"/g)) {
      const target = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>(
          (node, step) =>
            (node as Record<string, unknown> | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')],
          document,
        );
      expect({ reference, target }).not.toEqual({ reference, target: undefined });
    }
  });

  it('is readable at /docs without the network', async () => {
    const answer = await get('/docs', service);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/html/);
    expect(answer.text).not.toMatch(/(src|href)=["']?(https?:)?\/\//);
  });

  it('answers each health probe with its checks by name, and metrics as Prometheus text', async () => {
    for (const probe of ['startup', 'live', 'ready']) {
      const answer = await get(`/health/${probe}`, service);
      expect(answer.status).toBe(200);
      const { details } = z
        .looseObject({ details: z.record(z.string(), z.looseObject({ status: z.literal('up') })) })
        .parse(answer.json());
      expect(Object.keys(details)).not.toHaveLength(0);
    }
    const metrics = await get('/metrics', service);
    expect(metrics.status).toBe(200);
    expect(metrics.headers['content-type']).toMatch(/^text\/plain/);
    for (const name of ['faultline_outbox_depth', 'faultline_consumer_lag', 'faultline_dead_letters'])
      expect(metrics.text).toMatch(new RegExp(`^${name}\\{?.*\\}? \\d`, 'm'));
  });

  it('lists its dead letters and its outbox, which are empty', async () => {
    expect((await get('/dead-letters', service)).json()).toEqual({ items: [], nextCursor: null });
    await eventually(async () => {
      expect((await get('/outbox', service)).json()).toEqual({ depth: 0, oldestAgeSeconds: null });
    });
  });
});

describe('order without its database', () => {
  it('is alive and not ready, with the check named', async () => {
    proxy.cut();
    expect((await get('/health/live')).status).toBe(200);
    const ready = await send(`${system.urls.order}/health/ready`);
    expect(ready.status).toBe(503);
    expect(ready.text).toContain('database');
  });
});

it('leaves books that agree with everything that was answered', async () => {
  // Keys that were refused by the contract's checks are asked by bare requests: nothing of theirs may be there.
  expect(await audit(system, client)).toEqual([]);
});
