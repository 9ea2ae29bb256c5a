import { get } from 'node:http';
import { createHttpApp, type HttpApp } from '@faultline/http-server';
import { breaker, bulkhead, Resilience, retry } from '@faultline/resilience';
import { type Log, prometheusText, silentLog } from '@faultline/telemetry';
import { eventually } from '@faultline/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { resilienceOfThisProcess, ResilienceController } from './resilience.controller.js';
import { watchResilience } from './resilience-metrics.js';

class ResilienceOnly {}
const token = 'Bearer a-token-of-sixteen';
let resilience: Resilience;
let http: HttpApp;
let logged: object[];

beforeEach(async () => {
  resilience = new Resilience({ traceId: () => 'a-trace' });
  logged = [];
  const log: Log = { ...silentLog(), warn: (fields: object) => void logged.push(fields) } as Log;
  watchResilience(resilience, log);
  http = await createHttpApp(
    {
      module: ResilienceOnly,
      controllers: [ResilienceController],
      providers: [{ provide: resilienceOfThisProcess, useValue: resilience }],
    },
    {
      service: 'payment',
      instance: 'payment-1',
      port: 0,
      host: '127.0.0.1',
      serviceToken: 'a-token-of-sixteen',
      title: 'Payment',
      description: 'Resilience only',
      log,
    },
  );
});
afterEach(() => http.close());

const gateway = () =>
  resilience.pipeline(
    'payment-gateway',
    bulkhead({ limit: 5 }),
    retry({ attempts: 1, budget: { capacity: 10 } }),
    breaker({ minimum: 2 }),
  );
const fail = (pipeline: ReturnType<typeof gateway>): Promise<unknown> =>
  pipeline.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);

describe('GET /resilience', () => {
  it('shows breakers, bulkheads and retry budgets as they stand', async () => {
    const pipeline = gateway();
    await fail(pipeline);
    await fail(pipeline);
    const { status, body } = await request(http.url).get('/resilience');
    expect(status).toBe(200);
    expect(body).toEqual({
      breakers: [
        {
          name: 'payment-gateway',
          state: 'OPEN',
          since: expect.stringMatching(/Z$/),
          cause: '2 of 2 calls failed within 10 s',
          retryAt: expect.stringMatching(/Z$/),
          calls: 2,
          failures: 2,
          slow: 0,
          refused: 0,
        },
      ],
      bulkheads: [{ name: 'payment-gateway', limit: 5, active: 0, queued: 0, refused: 0 }],
      retryBudgets: [{ name: 'payment-gateway', tokens: 10, capacity: 10, retries: 0, refused: 0 }],
    });
    expect(Date.parse(body.breakers[0].retryAt) - Date.parse(body.breakers[0].since)).toBe(1000);
  });
});

describe('GET /resilience/stream', () => {
  it('pushes each transition as it happens, and ends with the process', async () => {
    const pipeline = gateway();
    let text = '';
    const ended = new Promise<void>((resolve, reject) => {
      get(`${http.url}/resilience/stream`, (response) => {
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', resolve);
        response.on('error', reject);
      });
    });
    await eventually(() => expect(text).toContain(': listening'));
    await fail(pipeline);
    await fail(pipeline);
    await eventually(() => expect(text).toContain('"to":"OPEN"'));
    const [, sent = ''] = /^event: transition\ndata: (.*)$/m.exec(text) ?? [];
    expect(JSON.parse(sent)).toEqual({
      name: 'payment-gateway',
      from: 'CLOSED',
      to: 'OPEN',
      cause: '2 of 2 calls failed within 10 s',
      traceId: 'a-trace',
      at: expect.stringMatching(/Z$/),
    });
    await http.close();
    await ended;
  });
});

describe('POST /resilience/breakers/:name', () => {
  it('isolates a breaker and releases it, for whoever has the token', async () => {
    gateway();
    const path = '/resilience/breakers/payment-gateway';
    expect((await request(http.url).post(`${path}/isolate`)).status).toBe(401);
    expect(resilience.view().breakers[0]?.state).toBe('CLOSED');
    const isolated = await request(http.url).post(`${path}/isolate`).set('authorization', token);
    expect([isolated.status, isolated.body.state]).toEqual([200, 'ISOLATED']);
    const released = await request(http.url).post(`${path}/release`).set('authorization', token);
    expect([released.status, released.body.state]).toEqual([200, 'HALF_OPEN']);
  });

  it('does not know a breaker of another name, and says which there are', async () => {
    gateway();
    const answer = await request(http.url)
      .post('/resilience/breakers/bank/isolate')
      .set('authorization', token);
    expect(answer.status).toBe(404);
    expect(answer.body.detail).toBe('There is no breaker bank here. There is: payment-gateway.');
  });
});

it('what the policies do is counted and logged', async () => {
  const pipeline = gateway();
  await fail(pipeline);
  await fail(pipeline);
  await fail(pipeline);
  const text = await prometheusText();
  expect(text).toMatch(/circuit_breaker_state\{name="payment-gateway",state="OPEN"\} 1/);
  expect(text).toMatch(/state_change_count_total\{name="payment-gateway",from="CLOSED",to="OPEN"\} \d/);
  expect(text).toMatch(
    /execution_count_total\{name="payment-gateway",result="refused",reason="BREAKER_OPEN"\} 1/,
  );
  expect(logged).toContainEqual(expect.objectContaining({ breaker: 'payment-gateway', to: 'OPEN' }));
});
