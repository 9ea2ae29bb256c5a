import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Database, migrate, openDatabase } from '@faultline/database';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { journalOf, journalPart, type JournalRow } from './index.js';

const server = process.env['TEST_POSTGRES_URL'];
if (server === undefined)
  throw new Error('TEST_POSTGRES_URL is not set: run this by `npm run infra:test -- <command>`');
const name = `journal_${randomUUID().replaceAll('-', '')}`;
const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
let database: Database;

beforeAll(async () => {
  await migrate(url, fileURLToPath(new URL('../../prisma/', import.meta.url)));
  database = openDatabase({ url, applicationName: 'test', connections: 2 });
});
afterAll(async () => {
  await database.close();
  const admin = openDatabase({ url: server, applicationName: 'test', connections: 1 });
  await admin.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.close();
});

const row = (orderId: string, what: string, more: Partial<JournalRow> = {}): JournalRow => ({
  orderId,
  at: Date.parse('2026-01-01T00:00:00.123Z'),
  what,
  messageId: 'm-1',
  causationId: null,
  attempt: 2,
  outcome: 'DONE',
  ...more,
});

describe('the journal', () => {
  it('answers what was written for an order, in that order and to the millisecond', async () => {
    const orderId = randomUUID();
    const written = Array.from({ length: 50 }, (_, nth) => row(orderId, `step-${String(nth)}`));
    await database.write([journalPart([...written, row(randomUUID(), 'of another order')])]);
    const rows = await journalOf(database, orderId);
    expect(rows.map(({ what }) => what)).toEqual(written.map(({ what }) => what));
    expect(rows[0]).toEqual({
      orderId,
      at: '2026-01-01T00:00:00.123Z',
      what: 'step-0',
      messageId: 'm-1',
      causationId: null,
      attempt: 2,
      outcome: 'DONE',
      detail: null,
    });
  });

  it('keeps the detail as it was given', async () => {
    const orderId = randomUUID();
    const detail = { reason: 'OUT_OF_STOCK', lines: ['a', '"quoted"', '\\', '{}'] };
    await database.write([journalPart([row(orderId, 'reserve', { detail })])]);
    expect((await journalOf(database, orderId))[0]?.detail).toEqual(detail);
  });

  it('takes any text: a note must never be what its effect fails by', async () => {
    const orderId = randomUUID();
    const detail = { why: 'half \ud83d, zero \u0000', deep: ['\udc00'] };
    await database.write([journalPart([row(orderId, 'odd', { detail })])]);
    expect((await journalOf(database, orderId))[0]?.detail).toEqual({
      why: 'half \ufffd, zero \ufffd',
      deep: ['\ufffd'],
    });
  });

  it('keeps nothing of a transaction that was rolled back', async () => {
    const orderId = randomUUID();
    const work = database.transaction(async (tx) => {
      await tx.write([journalPart([row(orderId, 'never')])]);
      throw new Error('rolled back');
    });
    await expect(work).rejects.toThrow('rolled back');
    expect(await journalOf(database, orderId)).toEqual([]);
  });

  it('writes nothing for nothing, and knows nothing of an order it never met', async () => {
    expect(await database.write([journalPart([])])).toEqual({ journal: 0 });
    expect(await journalOf(database, randomUUID())).toEqual([]);
  });
});
