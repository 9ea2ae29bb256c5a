import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PaymentAudit, WalletView } from '@faultline/contracts';
import { startService } from '@faultline/service';
import { testDatabase } from '@faultline/testing';
import { payment } from '../app.module.js';
import { createDemoData } from '../demo-data.js';
import { WalletCommands } from './wallet.commands.js';

type Running = Awaited<ReturnType<typeof startService>>;
let db: Awaited<ReturnType<typeof testDatabase>>;
let service: Running;

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
  service = await startService(payment, {
    PORT: '0',
    INSTANCE: 'payment-1',
    DATABASE_URL: db.url,
    // Nobody listens there: REST must not need the broker.
    KAFKA_BROKERS: '127.0.0.1:1',
    PAYMENT_GATEWAY_URL: 'http://127.0.0.1:1',
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
const deposit = (customer: string, amount: number, key: string): Promise<Response> =>
  call('POST', `/wallets/${customer}/deposits`, { amount }, { 'idempotency-key': key });
const wallet = async (customer: string): Promise<unknown> =>
  (await call('GET', `/wallets/${customer}`)).json();

describe('wallets by REST', () => {
  it('opens an empty wallet, and leaves a known one alone', async () => {
    const first = await call('PUT', '/wallets/ann');
    expect(first.status).toBe(200);
    expect(first.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(WalletView.parse(await first.json())).toMatchObject({
      customerId: 'ann',
      balance: 0,
      currency: 'EUR',
    });
    await deposit('ann', 700, 'ann-1');
    expect((await call('PUT', '/wallets/ann')).status).toBe(200);
    expect(await wallet('ann')).toEqual({
      customerId: 'ann',
      balance: 700,
      held: 0,
      available: 700,
      deposited: 700,
      captured: 0,
      refunded: 0,
      currency: 'EUR',
    });
  });

  it('counts a deposit once per key, and answers the repeated one as the first', async () => {
    await call('PUT', '/wallets/once');
    const first = await deposit('once', 5, 'once-1');
    const replay = await deposit('once', 5, 'once-1');
    expect([first.status, replay.status]).toEqual([200, 200]);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(replay.headers.get('idempotency-replayed')).toBe('true');
    expect(await replay.json()).toEqual(await first.json());
    expect(await wallet('once')).toMatchObject({ balance: 5, deposited: 5 });
  });

  it('counts twenty twins with one key once', async () => {
    await call('PUT', '/wallets/twins');
    const answers = await Promise.all(Array.from({ length: 20 }, () => deposit('twins', 3, 'twins-1')));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(
      19,
    );
    expect(await wallet('twins')).toMatchObject({ deposited: 3 });
  });

  it('refuses a key that belongs to another deposit', async () => {
    await call('PUT', '/wallets/other');
    await deposit('other', 5, 'other-1');
    expect((await deposit('other', 6, 'other-1')).status).toBe(422);
    expect((await deposit('ann', 5, 'other-1')).status).toBe(422);
  });

  it('leaves the key free when the deposit was refused', async () => {
    expect((await deposit('later', 5, 'later-1')).status).toBe(404);
    await call('PUT', '/wallets/later');
    expect((await deposit('later', 5, 'later-1')).status).toBe(200);
  });

  it.each([
    ['no key', { amount: 1 }, {}],
    ['a key that is too long', { amount: 1 }, { 'idempotency-key': 'k'.repeat(256) }],
    ['an amount of nothing', { amount: 0 }, { 'idempotency-key': 'k' }],
    ['half a cent', { amount: 0.5 }, { 'idempotency-key': 'k' }],
    ['an unknown member', { amount: 1, currency: 'USD' }, { 'idempotency-key': 'k' }],
  ])('answers 400 to a deposit with %s', async (_, body, headers) => {
    const answer = await call('POST', '/wallets/ann/deposits', body, headers);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('answers 404 for a customer without a wallet', async () => {
    expect((await call('GET', '/wallets/nobody')).status).toBe(404);
    expect((await call('GET', '/wallets/nobody/entries')).status).toBe(404);
  });

  it('lists the entries newest first, in pages that neither repeat nor skip', async () => {
    await call('PUT', '/wallets/pages');
    for (const n of [1, 2, 3, 4, 5]) await deposit('pages', n, `pages-${n}`);
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const answer = await call(
        'GET',
        `/wallets/pages/entries?limit=2${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      const page = (await answer.json()) as {
        items: { amount: number; kind: string }[];
        nextCursor: string | null;
      };
      seen.push(...page.items.map((item) => item.amount));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  it('vouches in its audit for sums that add up and a ledger at zero', async () => {
    const audit = PaymentAudit.parse(await (await call('GET', '/audit')).json());
    expect(audit.wallets.length).toBeGreaterThan(0);
    for (const one of audit.wallets) {
      expect(one.deposited).toBe(one.balance + one.captured - one.refunded);
      expect(one.available).toBe(one.balance - one.held);
    }
    expect(audit.ledgerSum).toBe(0);
    expect(audit.cards).toEqual({ held: 0, captured: 0, refunded: 0 });
  });

  it('describes itself', async () => {
    const answer = await (await call('GET', '/openapi.json')).json();
    expect(answer).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
      paths: { '/wallets/{customerId}/deposits': { post: {} } },
    });
  });
});

describe('the demo data', () => {
  it('is created once, however often the service starts', async () => {
    await createDemoData(new WalletCommands(db.database));
    // A day later the keys are forgotten.
    await db.database.pool.query('TRUNCATE idempotency_key');
    await createDemoData(new WalletCommands(db.database));
    expect(await wallet('customer-100')).toMatchObject({ balance: 1_000_000, deposited: 1_000_000 });
    expect(await wallet('customer-poor')).toMatchObject({ balance: 0 });
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
