import { createHash } from 'node:crypto';
import { eventually } from '@faultline/testing';
import pg from 'pg';

/** A place in a service that is closed: whoever comes there waits. */
export interface Barrier {
  /** Resolves when somebody waits there. */
  reached(within?: number): Promise<void>;
  /** Lets everybody through, from now on. */
  open(): Promise<void>;
}

/** Tells the barriers' advisory locks from those of the product. */
const namespace = 20_771;
const numberOf = (name: string): number => createHash('md5').update(name).digest().readInt32BE() >>> 1;

/**
 * The JavaScript of a barrier, to be put into a service by a patch. `through` is the expression of something with
 * query(): a database or a transaction. An advisory lock of Postgres: the harness sees who waits there, and a service
 * that nobody holds back passes in one round trip. Whoever waits there may wait for longer than a statement may take.
 */
export function barrier(name: string, through: string): string {
  const sql = `SET statement_timeout = 0; SELECT pg_advisory_xact_lock_shared(${namespace}, ${numberOf(name)}); RESET statement_timeout`;
  return `await ${through}.query({ text: '${sql}', values: [], query_timeout: 120_000 });`;
}

/** Closes the barrier in the database at `url`. */
export async function closeBarrier(url: string, name: string): Promise<Barrier> {
  const client = new pg.Client({ connectionString: url, application_name: 'harness' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1, $2)', [namespace, numberOf(name)]);
  return {
    async reached(within = 60_000) {
      await eventually(
        async () => {
          const { rowCount } = await client.query(
            `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
            [namespace, numberOf(name)],
          );
          if (!rowCount) throw new Error(`nobody has come to ${name}`);
        },
        { within, every: 20 },
      );
    },
    async open() {
      await client.end();
    },
  };
}
