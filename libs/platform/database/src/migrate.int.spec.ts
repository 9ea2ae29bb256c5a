import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { migrate } from './index.js';

const server = process.env['TEST_POSTGRES_URL'];
if (server === undefined)
  throw new Error('TEST_POSTGRES_URL is not set: run this by `npm run infra:test -- <command>`');
const admin = server;

let name: string;
let url: string;
let folder: string;

const write = async (migration: string, sql: string): Promise<void> => {
  await mkdir(join(folder, migration), { recursive: true });
  await writeFile(join(folder, migration, 'migration.sql'), sql);
};
const ask = async <Row extends pg.QueryResultRow>(at: string, sql: string): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: at });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
};

beforeEach(async () => {
  name = `migrate_${randomUUID().replaceAll('-', '')}`;
  url = Object.assign(new URL(admin), { pathname: `/${name}` }).href;
  folder = await mkdtemp(join(tmpdir(), 'migrations-'));
});
afterEach(async () => {
  await ask(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await rm(folder, { recursive: true });
});

describe('migrate', () => {
  it('creates the database and applies the migrations in the order of their names, once', async () => {
    await write('0002_second', 'ALTER TABLE thing ADD COLUMN name text');
    await write('0001_first', 'CREATE TABLE thing (id int)');
    expect(await migrate(url, folder)).toEqual(['0001_first', '0002_second']);
    expect(await migrate(url, folder)).toEqual([]);
    await write('0003_third', 'INSERT INTO thing VALUES (1)');
    expect(await migrate(url, folder)).toEqual(['0003_third']);
    expect(await ask(url, 'SELECT id FROM thing')).toEqual([{ id: 1 }]);
  });

  it("keeps Prisma's table as Prisma does", async () => {
    await write('0001_first', 'CREATE TABLE thing (id int)');
    await migrate(url, folder);
    const rows = await ask(
      url,
      `SELECT migration_name, checksum, applied_steps_count, rolled_back_at, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations`,
    );
    expect(rows).toEqual([
      {
        migration_name: '0001_first',
        checksum: createHash('sha256').update('CREATE TABLE thing (id int)').digest('hex'),
        applied_steps_count: 1,
        rolled_back_at: null,
        finished: true,
      },
    ]);
  });

  it('lets replicas that start together apply each migration once', async () => {
    await write(
      '0001_first',
      'CREATE TABLE thing (id int); INSERT INTO thing VALUES (1); SELECT pg_sleep(0.2)',
    );
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(url, folder)));
    expect(applied.flat()).toEqual(['0001_first']);
    expect(await ask(url, 'SELECT id FROM thing')).toEqual([{ id: 1 }]);
  });

  it('refuses a migration that was changed after it had been applied', async () => {
    await write('0001_first', 'CREATE TABLE thing (id int)');
    await migrate(url, folder);
    await write('0001_first', 'CREATE TABLE thing (id bigint)');
    await expect(migrate(url, folder)).rejects.toThrow('0001_first was applied and has been changed since');
  });

  it('leaves nothing of a migration that fails, and goes on once it is mended', async () => {
    await write('0001_first', 'CREATE TABLE thing (id int)');
    await write('0002_second', 'CREATE TABLE other (id int); SELECT 1 / 0');
    await expect(migrate(url, folder)).rejects.toThrow('division by zero');
    expect(
      await ask(url, `SELECT to_regclass('thing') IS NOT NULL AS first, to_regclass('other') AS second`),
    ).toEqual([{ first: true, second: null }]);
    await write('0002_second', 'CREATE TABLE other (id int)');
    expect(await migrate(url, folder)).toEqual(['0002_second']);
  });
});
