import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CardAuthorization } from '@faultline/contracts';
import { DependencyRefused, DependencyUnavailable, httpClient } from '@faultline/http-client';
import {
  attemptTimeout,
  AttemptTimedOut,
  breaker,
  bulkhead,
  deadline,
  PipelineRefused,
  Resilience,
  retriedByTheCaller,
} from '@faultline/resilience';
import { startTelemetry, withSpan } from '@faultline/telemetry';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Call, type GatewayAnswer } from './card.js';
import { type CardGateway, cardGateway } from './card-gateway.js';

const orderId = '0198f6a0-0000-7000-8000-000000000001';
const claim = { customerId: 'ann', amount: 900, cardToken: 'card-ok' };

let telemetry: ReturnType<typeof startTelemetry>;
beforeAll(() => {
  telemetry = startTelemetry({ service: 'payment', instance: 'payment-1' });
});
afterAll(() => telemetry.shutdown());

let server: Server;
let seen: { readonly line: string; readonly headers: IncomingMessage['headers']; readonly body: unknown }[];
let play: (line: string, response: ServerResponse, nth: number) => void;
let resilience: Resilience;
let gateway: CardGateway;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const line = `${request.method} ${request.url}`;
      const text = Buffer.concat(chunks).toString();
      seen.push({ line, headers: request.headers, body: text === '' ? null : (JSON.parse(text) as unknown) });
      play(line, response, seen.length);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  resilience = new Resilience({ random: () => 0 });
  const client = httpClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    name: 'payment-gateway',
    timeoutMs: 1000,
  });
  const pipeline = resilience.pipeline(
    'payment-gateway',
    deadline({ within: 1200 }),
    bulkhead({ limit: 4, queue: 4 }),
    retriedByTheCaller({ ratio: 0, capacity: 3 }),
    breaker({ minimum: 5, failureRate: 0.5 }),
    attemptTimeout({ within: 300 }),
  );
  gateway = cardGateway(client, pipeline);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (
  call: Call,
  attempt = 1,
  signal: AbortSignal = new AbortController().signal,
): Promise<GatewayAnswer> => gateway({ orderId, call, claim, attempt, signal });
const says =
  (status: CardAuthorization['status'], declineReason: string | null = null) =>
  (_line: string, response: ServerResponse): void => {
    const body = { reference: orderId, status, amount: 900, currency: 'EUR', declineReason };
    response.end(JSON.stringify({ ...body, createdAt: '2026-01-01T00:00:00.000Z' }));
  };
const problem = (response: ServerResponse, status: number, type = 'about:blank'): void =>
  void response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify({ type, status }));
const breakerOf = () => resilience.view().breakers[0];

describe('a call to the card gateway', () => {
  it('names the order, the time that remains, its trace and one key for each verb', async () => {
    play = says('AUTHORIZED');
    const trace = 'ab'.repeat(16);
    await withSpan('card authorize', { parent: `00-${trace}-${'cd'.repeat(8)}-01` }, () => ask('authorize'));
    play = says('CAPTURED');
    await ask('capture');
    await ask('capture', 2);
    expect(seen.map(({ line, headers }) => [line, headers['idempotency-key']])).toEqual([
      ['POST /authorizations', `${orderId}/authorize`],
      [`POST /authorizations/${orderId}/capture`, `${orderId}/capture`],
      [`POST /authorizations/${orderId}/capture`, `${orderId}/capture`],
    ]);
    expect(seen[0]?.body).toEqual({
      reference: orderId,
      amount: 900,
      currency: 'EUR',
      cardToken: 'card-ok',
    });
    expect(seen[0]?.headers['traceparent']).toContain(trace);
    expect(Number(seen[0]?.headers['x-remaining-ms'])).toBeGreaterThan(0);
    expect(Number(seen[0]?.headers['x-remaining-ms'])).toBeLessThanOrEqual(300);
  });

  it('takes a decline for an answer, and no failure', async () => {
    play = says('DECLINED', 'insufficient_funds');
    for (let n = 0; n < 8; n += 1) expect(await ask('authorize')).toEqual({ declined: 'insufficient_funds' });
    expect(breakerOf()).toMatchObject({ state: 'CLOSED', failures: 0 });
  });

  it('that is to find out looks it up, and does not ask again when it is found', async () => {
    play = says('AUTHORIZED');
    expect(await ask('resolve', 2)).toEqual({ authorized: true });
    expect(seen.map(({ line }) => line)).toEqual([`GET /authorizations/${orderId}`]);
  });

  it('that finds nothing repeats the key of the first: not found is no proof', async () => {
    play = (line, response) =>
      line.startsWith('GET') ? problem(response, 404) : says('AUTHORIZED')(line, response);
    expect(await ask('resolve', 2)).toEqual({ authorized: true });
    expect(seen.map(({ line, headers }) => [line, headers['idempotency-key']])).toEqual([
      [`GET /authorizations/${orderId}`, undefined],
      ['POST /authorizations', `${orderId}/authorize`],
    ]);
  });
});

describe('what decides nothing', () => {
  it.each([
    ['authorize', 409, 'https://x/problems/in-progress'],
    ['authorize', 422, 'https://x/problems/key-reused'],
    ['resolve', 401, 'about:blank'],
    ['capture', 409, 'https://x/problems/in-progress'],
    ['capture', 429, 'about:blank'],
    ['void', 403, 'about:blank'],
  ] as const)('%s answered by %i %s is asked again', async (call, status, type) => {
    play = (_line, response) => problem(response, status, type);
    await expect(ask(call)).rejects.toBeInstanceOf(DependencyRefused);
    expect(breakerOf()).toMatchObject({ failures: 0 });
  });

  it('an error, silence and an answer that is none', async () => {
    play = (_line, response) => problem(response, 503);
    await expect(ask('authorize')).rejects.toBeInstanceOf(DependencyUnavailable);
    play = () => undefined;
    await expect(ask('authorize')).rejects.toBeInstanceOf(AttemptTimedOut);
    play = (_line, response) => void response.end('{"status":"PERHAPS"}');
    await expect(ask('authorize')).rejects.toBeInstanceOf(DependencyUnavailable);
    expect(breakerOf()).toMatchObject({ failures: 3 });
  });

  it('an open breaker, and a budget that is used up: the gateway is not asked', async () => {
    play = (_line, response) => problem(response, 503);
    for (let n = 0; n < 5; n += 1) await ask('authorize').catch(() => undefined);
    await expect(ask('authorize')).rejects.toMatchObject({ reason: 'BREAKER_OPEN' });
    expect([seen.length, breakerOf()?.state]).toEqual([5, 'OPEN']);
  });

  it('a repeat draws on the budget, a first call does not', async () => {
    play = says('AUTHORIZED');
    for (let n = 0; n < 3; n += 1) await ask('resolve', 2);
    await expect(ask('resolve', 2)).rejects.toMatchObject({ reason: 'RETRY_BUDGET_EXHAUSTED' });
    expect(await ask('authorize', 1)).toEqual({ authorized: true });
  });

  it('a call that is aborted closes its socket, and says nothing of the gateway', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const stopping = new AbortController();
    play = (_line, response) => {
      response.on('close', resolve);
      stopping.abort(new Error('payment stops'));
    };
    await expect(ask('authorize', 1, stopping.signal)).rejects.toThrow('payment stops');
    await closed;
    expect(breakerOf()).toMatchObject({ failures: 0 });
  });
});

describe('what is refused for good', () => {
  it.each([
    ['authorize', 400, 'about:blank'],
    ['capture', 409, 'https://x/problems/wrong-status'],
    ['void', 409, 'https://x/problems/wrong-status'],
    ['refund', 404, 'https://x/problems/unknown-reference'],
  ] as const)('%s answered by %i %s is said, and says nothing of the gateway', async (call, status, type) => {
    play = (_line, response) => problem(response, status, type);
    for (let n = 0; n < 6; n += 1)
      expect(await ask(call)).toEqual({ refused: expect.stringContaining(String(status)) });
    expect(breakerOf()).toMatchObject({ state: 'CLOSED', calls: 0, failures: 0 });
  });
});

it('refuses more than its slots and their queue', async () => {
  play = () => undefined;
  const all = Array.from({ length: 9 }, () => ask('authorize').catch((error: unknown) => error));
  const ended = await Promise.all(all);
  expect(
    ended.filter((error) => error instanceof PipelineRefused && error.reason === 'BULKHEAD_FULL'),
  ).toHaveLength(1);
});
