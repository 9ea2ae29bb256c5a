import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import type { INestApplication } from '@nestjs/common';
import request from 'supertest';
import { type Check, HealthModule } from './index.js';

let app: INestApplication | undefined;

async function ask(ready: readonly Check[]): Promise<request.Response> {
  const module = await Test.createTestingModule({
    imports: [
      HealthModule.register({ startup: [], live: [{ name: 'process', check: async () => true }], ready }),
    ],
  }).compile();
  app = await module.createNestApplication({ logger: false }).init();
  return request(app.getHttpServer() as Server).get('/health/ready');
}

afterEach(() => app?.close());

describe('health', () => {
  it('is 200 with each check named while all hold', async () => {
    const { status, body } = await ask([{ name: 'database', check: async () => true }]);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', details: { database: { status: 'up' } } });
    const live = await request(app?.getHttpServer() as Server).get('/health/live');
    expect([live.status, live.body.details.process.status]).toEqual([200, 'up']);
    expect((await request(app?.getHttpServer() as Server).get('/health/startup')).status).toBe(200);
  });

  it('is 503 with each check named, and what is wrong, when one does not', async () => {
    const { status, body } = await ask([
      { name: 'topics', check: async () => 'order.replies has 1 partition instead of 3' },
      { name: 'database', check: async () => true },
    ]);
    expect(status).toBe(503);
    expect(body.details).toMatchObject({
      topics: { status: 'down', message: 'order.replies has 1 partition instead of 3' },
      database: { status: 'up' },
    });
  });

  it('is 503 when a check throws', async () => {
    const { status, body } = await ask([
      { name: 'database', check: () => Promise.reject(new Error('away')) },
    ]);
    expect([status, body.details.database.message]).toEqual([503, 'away']);
  });

  it('is 503 when a check does not answer', async () => {
    const begun = Date.now();
    const { status, body } = await ask([{ name: 'database', check: () => new Promise(() => undefined) }]);
    expect(status).toBe(503);
    expect(body.details.database.message).toMatch(/no answer/);
    expect(Date.now() - begun).toBeLessThan(4000);
  });
});
