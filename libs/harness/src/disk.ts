import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, rmdirSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { SERVICES, type System } from './system.js';

/** The disk under the services' tables. */
export interface Disk {
  /** By what it gets full, for whoever reads the test's output. */
  readonly how: string;
  fill(): Promise<void>;
  free(): Promise<void>;
  /** Everything is as it was before. */
  close(): Promise<void>;
}

/** A disk that can really be filled where this machine allows it, else tables that answer as if theirs were. */
export async function fillableDisk(system: System): Promise<Disk> {
  return (await smallDisk(system)) ?? refusingTables(system);
}

/**
 * Moves all tables to a file system of their own, in memory, with little room. Null where none can be mounted: that
 * takes Linux, root, and a Postgres on this machine.
 */
export async function smallDisk(system: System): Promise<Disk | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || system.infra !== 'embedded') return null;
  const place = mkdtempSync(join(tmpdir(), 'faultline-disk-'));
  chmodSync(place, 0o711);
  const [{ data } = { data: '' }] = await ask<{ data: string }>(
    system.postgresUrl,
    `SELECT current_setting('data_directory') AS data`,
  );
  const [{ bytes } = { bytes: '0' }] = await ask<{ bytes: string }>(
    system.postgresUrl,
    `SELECT sum(pg_database_size(datname)) AS bytes FROM pg_database WHERE datname LIKE 'faultline%'`,
  );
  // Postgres runs as another user than root, and its files shall be its own.
  const { uid, gid } = statSync(data);
  const size = Number(bytes) + 32 * 1024 * 1024;
  try {
    execFileSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${size},mode=0700,uid=${uid},gid=${gid}`, 'faultline-disk', place],
      { stdio: 'ignore' },
    );
  } catch {
    rmdirSync(place);
    return null;
  }
  const unmount = (): void => void execFileSync('umount', ['--lazy', place], { stdio: 'ignore' });
  process.once('exit', unmount);
  const ballast = join(place, 'ballast');
  const move = async (to: string): Promise<void> => {
    for (const service of SERVICES)
      await inTurn(
        system.databaseUrl(service),
        await ask<{ statement: string }>(
          system.databaseUrl(service),
          `SELECT format('ALTER %s %I SET TABLESPACE ${to}', CASE relkind WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, relname)
             AS statement
           FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') ORDER BY relname`,
        ),
      );
  };
  await ask(system.postgresUrl, `CREATE TABLESPACE small LOCATION '${place}'`);
  await move('small');
  return {
    how: `a file system of ${Math.round(size / 1024 / 1024)} MB, filled to the last byte`,
    async fill() {
      const file = openSync(ballast, 'w');
      const block = Buffer.alloc(64 * 1024);
      try {
        // A write that no longer fits whole writes what fits; the next one fails.
        for (;;) writeSync(file, block);
      } catch (error) {
        // Not `instanceof Error`: in a test runner's context the file system's errors come from outside of it.
        if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOSPC'))
          throw error;
      } finally {
        closeSync(file);
      }
    },
    async free() {
      rmSync(ballast, { force: true });
    },
    async close() {
      rmSync(ballast, { force: true });
      await move('pg_default');
      await ask(system.postgresUrl, 'DROP TABLESPACE small');
      process.off('exit', unmount);
      unmount();
      rmdirSync(place);
    },
  };
}

/** Tables that take no row any more, with the SQLSTATE of a full disk: what a service sees is the same. */
export async function refusingTables(system: System): Promise<Disk> {
  const each = async (statement: string): Promise<void> => {
    for (const service of SERVICES)
      await inTurn(
        system.databaseUrl(service),
        await ask<{ statement: string }>(
          system.databaseUrl(service),
          `SELECT format('${statement}', tablename) AS statement
           FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY tablename`,
        ),
      );
  };
  const everywhere = async (statement: string): Promise<void> => {
    for (const service of SERVICES) await ask(system.databaseUrl(service), statement);
  };
  const free = (): Promise<void> => each('DROP TRIGGER IF EXISTS disk_is_full ON %I');
  await everywhere(`CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
  END $$`);
  return {
    how: 'tables that refuse every new row with SQLSTATE 53100',
    fill: () => each('CREATE TRIGGER disk_is_full BEFORE INSERT ON %I EXECUTE FUNCTION disk_is_full()'),
    free,
    async close() {
      await free();
      await everywhere('DROP FUNCTION disk_is_full()');
    },
  };
}

/** Each in a transaction of its own: one that locked several tables could meet the services in a deadlock. */
async function inTurn(url: string, list: readonly { readonly statement: string }[]): Promise<void> {
  for (const { statement } of list) await ask(url, statement);
}

async function ask<Row>(url: string, statement: string): Promise<Row[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    query_timeout: 20_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row & pg.QueryResultRow>(statement)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
