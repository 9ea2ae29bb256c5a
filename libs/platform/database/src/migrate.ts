import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

const table = `
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                  VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"            VARCHAR(64) NOT NULL,
    "finished_at"         TIMESTAMPTZ,
    "migration_name"      VARCHAR(255) NOT NULL,
    "logs"                TEXT,
    "rolled_back_at"      TIMESTAMPTZ,
    "started_at"          TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

/**
 * Creates the database when it is missing and applies `<folder>/<name>/migration.sql` in the order of their names,
 * each in a transaction of its own. Keeps `_prisma_migrations` as `prisma migrate deploy` does, so that the two agree
 * wherever Prisma's own engine can run (docs/adr/0001). Replicas that start together wait for each other.
 * Throws when a migration that was applied has been changed since. Answers the names it applied.
 */
export async function migrate(url: string, folder: string): Promise<string[]> {
  await createDatabase(url);
  const client = clientFor(url);
  await client.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(hashtext('faultline-migrate'))`);
    await client.query(table);
    const { rows } = await client.query<{ migration_name: string; checksum: string }>(
      'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
    const names = (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .sort();
    const done: string[] = [];
    for (const name of names) {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      const known = applied.get(name);
      if (known !== undefined && known !== checksum) {
        throw new Error(`migration ${name} was applied and has been changed since: write a new one instead`);
      }
      if (known !== undefined) continue;
      await client.query('BEGIN');
      await client.query(sql);
      await client.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
         VALUES ($1, $2, $3, now(), 1)`,
        [randomUUID(), checksum, name],
      );
      await client.query('COMMIT');
      done.push(name);
    }
    return done;
  } finally {
    await client.end();
  }
}

async function createDatabase(url: string): Promise<void> {
  const target = new URL(url);
  const name = decodeURIComponent(target.pathname.slice(1));
  target.pathname = '/postgres';
  const client = clientFor(target.href);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`).catch((error: unknown) => {
        // 42P04, 23505: another replica was faster
        const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
        if (code !== '42P04' && code !== '23505') throw error;
      });
    }
  } finally {
    await client.end();
  }
}

function clientFor(url: string): pg.Client {
  const client = new pg.Client({ connectionString: url, application_name: 'migrate' });
  // A server that stops between two statements fails the next one; without a listener it would end the process.
  client.on('error', () => undefined);
  return client;
}
