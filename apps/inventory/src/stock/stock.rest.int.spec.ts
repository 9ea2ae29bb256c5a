import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InventoryAudit, StockList, StockView } from '@faultline/contracts';
import { startService } from '@faultline/service';
import { testDatabase } from '@faultline/testing';
import { inventory } from '../app.module.js';
import { createDemoData } from '../demo-data.js';
import { StockCommands } from './stock.commands.js';

type Running = Awaited<ReturnType<typeof startService>>;
let db: Awaited<ReturnType<typeof testDatabase>>;
let service: Running;

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
  service = await startService(inventory, {
    PORT: '0',
    INSTANCE: 'inventory-1',
    DATABASE_URL: db.url,
    // Nobody listens there: REST must not need the broker.
    KAFKA_BROKERS: '127.0.0.1:1',
    FAULTLINE_SERVICE_TOKEN: 'a-token-for-tests-only',
  });
  await service.started;
});
afterAll(async () => {
  await service.stop();
  await db.drop();
});

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${service.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}
const deliver = (sku: string, quantity: number, key: string): Promise<Response> =>
  call('POST', `/stock/${sku}/deliveries`, { quantity }, { 'idempotency-key': key });

describe('stock by REST', () => {
  it('opens an item, renames it, and leaves its quantities alone', async () => {
    const first = await call('PUT', '/stock/mug', { name: 'Mug', unitPrice: 990 });
    expect(first.status).toBe(200);
    expect(first.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    await deliver('mug', 7, 'mug-seven');
    const again = await call('PUT', '/stock/mug', { name: 'Big mug', unitPrice: 995 });
    expect(StockView.parse(await again.json())).toEqual({
      sku: 'mug',
      name: 'Big mug',
      unitPrice: 995,
      onHand: 7,
      reserved: 0,
      available: 7,
      sold: 0,
      delivered: 7,
    });
    expect(await (await call('GET', '/stock/mug')).json()).toMatchObject({ name: 'Big mug', onHand: 7 });
  });

  it('counts a delivery once per key, and answers the repeated one as the first', async () => {
    await call('PUT', '/stock/once', { name: 'Once', unitPrice: 1 });
    const first = await deliver('once', 5, 'once-1');
    const replay = await deliver('once', 5, 'once-1');
    expect([first.status, replay.status]).toEqual([200, 200]);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(replay.headers.get('idempotency-replayed')).toBe('true');
    expect(await replay.json()).toEqual(await first.json());
    expect(await (await call('GET', '/stock/once')).json()).toMatchObject({ onHand: 5, delivered: 5 });
  });

  it('counts twenty twins with one key once', async () => {
    await call('PUT', '/stock/twins', { name: 'Twins', unitPrice: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => deliver('twins', 3, 'twins-1')));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(
      19,
    );
    expect(await (await call('GET', '/stock/twins')).json()).toMatchObject({ delivered: 3 });
  });

  it('refuses a key that belongs to another delivery', async () => {
    await call('PUT', '/stock/other', { name: 'Other', unitPrice: 1 });
    await deliver('other', 5, 'other-1');
    expect((await deliver('other', 6, 'other-1')).status).toBe(422);
    expect((await deliver('mug', 5, 'other-1')).status).toBe(422);
  });

  it('leaves the key free when the delivery was refused', async () => {
    expect((await deliver('later', 5, 'later-1')).status).toBe(404);
    await call('PUT', '/stock/later', { name: 'Later', unitPrice: 1 });
    expect((await deliver('later', 5, 'later-1')).status).toBe(200);
  });

  it.each([
    ['no key', { quantity: 1 }, {}],
    ['a key that cannot be printed', { quantity: 1 }, { 'idempotency-key': 'a\tb' }],
    ['a quantity of nothing', { quantity: 0 }, { 'idempotency-key': 'k' }],
    ['an unknown member', { quantity: 1, colour: 'red' }, { 'idempotency-key': 'k' }],
  ])('answers 400 to a delivery with %s', async (_, body, headers) => {
    const answer = await call('POST', '/stock/mug/deliveries', body, headers);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('answers 400 with every mistake at once', async () => {
    const answer = await call('PUT', '/stock/mug', { name: 'a\u0000b', unitPrice: -1 });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ path: expect.anything() })]),
    });
  });

  it('answers 404 for an unknown SKU', async () => {
    expect((await call('GET', '/stock/nothing')).status).toBe(404);
  });

  it('lists in pages that neither repeat nor skip', async () => {
    for (const n of [1, 2, 3, 4, 5])
      await call('PUT', `/stock/page-${n}`, { name: `Page ${n}`, unitPrice: n });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const answer = await call(
        'GET',
        `/stock?limit=2${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      const page = StockList.parse(await answer.json());
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.sku));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const { skus } = InventoryAudit.parse(await (await call('GET', '/audit')).json());
    expect(seen).toEqual(skus.map((item) => item.sku));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('vouches in its audit for sums that add up', async () => {
    const { skus } = InventoryAudit.parse(await (await call('GET', '/audit')).json());
    expect(skus.length).toBeGreaterThan(0);
    for (const sku of skus) {
      expect(sku.onHand).toBe(sku.available + sku.reserved);
      expect(sku.delivered).toBe(sku.onHand + sku.sold);
    }
  });

  it('describes itself', async () => {
    const answer = await (await call('GET', '/openapi.json')).json();
    expect(answer).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
      paths: { '/stock/{sku}/deliveries': { post: {} } },
    });
  });
});

describe('the demo data', () => {
  it('is created once, however often the service starts', async () => {
    await createDemoData(new StockCommands(db.database));
    // A day later the keys are forgotten.
    await db.database.pool.query('TRUNCATE idempotency_key');
    await createDemoData(new StockCommands(db.database));
    expect(await (await call('GET', '/stock/tea-rare')).json()).toMatchObject({
      unitPrice: 9900,
      onHand: 5,
      delivered: 5,
    });
    expect(await (await call('GET', '/stock/teapot')).json()).toMatchObject({
      unitPrice: 3200,
      onHand: 10_000,
    });
  });
});

describe('without a broker', () => {
  it.each(['startup', 'live', 'ready'])('is %s', async (kind) => {
    expect((await call('GET', `/health/${kind}`)).status).toBe(200);
  });

  it('shows its metrics', async () => {
    const text = await (await call('GET', '/metrics')).text();
    expect(text).toContain('faultline_outbox_depth');
    expect(text).toContain('faultline_dead_letters');
  });
});
