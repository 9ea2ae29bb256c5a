import { randomUUID } from 'node:crypto';
import { JournalEntry } from '@faultline/contracts';
import { createHttpApp, type HttpApp } from '@faultline/http-server';
import { journalPart } from '@faultline/journal';
import { Resilience } from '@faultline/resilience';
import { silentLog } from '@faultline/telemetry';
import { testDatabase, type TestDatabase } from '@faultline/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { OperationsModule } from './index.js';

const token = 'Bearer a-token-of-sixteen';
let test: TestDatabase;
let http: HttpApp;

beforeAll(async () => {
  test = await testDatabase(new URL('../../../transactions/prisma/', import.meta.url));
  http = await createHttpApp(
    OperationsModule.register({
      database: test.database,
      service: 'inventory',
      partitionsOf: () => 3,
      resilience: new Resilience(),
    }),
    {
      service: 'inventory',
      instance: 'inventory-1',
      port: 0,
      host: '127.0.0.1',
      serviceToken: 'a-token-of-sixteen',
      title: 'Inventory',
      description: 'Operations only',
      log: silentLog(),
    },
  );
});

afterAll(async () => {
  await http.close();
  await test.drop();
});

async function deadLetter(): Promise<string> {
  const id = randomUUID();
  await test.database.pool.query(
    // Each a second after the one before: within one millisecond their order would be left to their ids.
    `INSERT INTO dead_letter
       (id, consumer, topic, partition, "offset", message_id, headers, value, reason, detail, created_at)
     VALUES ($1, 'inventory', 'inventory.commands', 1, 7, $2, '{}', 'bytes', 'NOT_JSON', 'no',
             now() - interval '1 hour' + $3 * interval '1 second')`,
    [id, randomUUID(), (made += 1)],
  );
  return id;
}

let made = 0;

describe('the operations of a service', () => {
  it('list dead letters, page by page', async () => {
    const ids = [await deadLetter(), await deadLetter(), await deadLetter()];
    const first = await request(http.url).get('/dead-letters?limit=2&status=DEAD');
    const second = await request(http.url).get(`/dead-letters?limit=2&cursor=${first.body.nextCursor}`);
    const listed = [...first.body.items, ...second.body.items];
    expect(listed.map((item: { id: string }) => item.id)).toEqual(ids.toReversed());
    expect(listed[0]).toMatchObject({ topic: 'inventory.commands', reason: 'NOT_JSON', preview: 'bytes' });
    expect(second.body.nextCursor).toBeNull();
  });

  it('redrive a dead letter for whoever has the token, and once only', async () => {
    const id = await deadLetter();
    const before = (await request(http.url).get('/outbox')).body.depth;
    expect((await request(http.url).post(`/dead-letters/${id}/redrive`)).status).toBe(401);
    for (let time = 0; time < 2; time += 1) {
      const answer = await request(http.url).post(`/dead-letters/${id}/redrive`).set('authorization', token);
      expect([answer.status, answer.body]).toEqual([202, { id, status: 'REDRIVEN' }]);
    }
    const { body } = await request(http.url).get('/outbox');
    expect(body.depth).toBe(before + 1);
    expect(body.oldestAgeSeconds).toBeGreaterThanOrEqual(0);
  });

  it('know no other dead letter', async () => {
    const redrive = (id: string) =>
      request(http.url).post(`/dead-letters/${id}/redrive`).set('authorization', token);
    expect((await redrive(randomUUID())).status).toBe(404);
    expect((await redrive('7')).status).toBe(400);
  });

  it('tell an order’s journal to whoever has the token', async () => {
    const orderId = randomUUID();
    const row = { orderId, at: 1_700_000_000_000, messageId: 'm', causationId: null, attempt: 1 };
    await test.database.write([
      journalPart([
        { ...row, what: 'reserve-stock', outcome: 'OUT_OF_STOCK', detail: { sku: 'tea-rare' } },
        { ...row, what: 'release-stock', outcome: 'DONE' },
      ]),
    ]);
    expect((await request(http.url).get(`/internal/journal/${orderId}`)).status).toBe(401);
    const { body } = await request(http.url).get(`/internal/journal/${orderId}`).set('authorization', token);
    expect(body.service).toBe('inventory');
    const entries = JournalEntry.array().parse(body.entries);
    expect(entries.map(({ service, what, outcome }) => [service, what, outcome])).toEqual([
      ['inventory', 'reserve-stock', 'OUT_OF_STOCK'],
      ['inventory', 'release-stock', 'DONE'],
    ]);
    expect(entries[0]).toMatchObject({ at: '2023-11-14T22:13:20.000Z', detail: { sku: 'tea-rare' } });
  });

  it('answer metrics as Prometheus text', async () => {
    await request(http.url).get('/outbox');
    const { headers, text } = await request(http.url).get('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(text).toContain('http_server_request_duration_count');
    expect(headers['x-trace-id']).toMatch(/^[0-9a-f]{32}$/);
  });
});
