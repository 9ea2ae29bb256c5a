import { topics } from '@faultline/contracts';
import type { HarnessSystem } from '@faultline/harness';
import { openKafka } from '@faultline/messaging';
import { Client } from 'pg';

export interface Counts {
  /** Statements by pg_stat_statements, BEGIN and COMMIT and every poll among them, of the one case and of the other. */
  readonly statements: { readonly faultline: number; readonly bare: number };
  /** Of these: BEGIN, COMMIT, ROLLBACK. */
  readonly transactionControl: { readonly faultline: number; readonly bare: number };
  /** Of Faultline's: what a clock makes it ask, and no order. A slow machine has more of these per order. */
  readonly byTheClock: number;
  /** Bytes, of the whole server. */
  readonly wal: number;
  /** By topic. */
  readonly messages: Readonly<Record<string, number>>;
}

// Claims of leases and of due work, the vacuum of the outbox, probes, scrapes and the polls of the relay. The latter
// cannot be told from a look that a hint asked for; they are counted with the orders.
const clocked = [
  '%relay_member%',
  '%FROM due_work%FOR UPDATE SKIP LOCKED%',
  'VACUUM%',
  'SELECT $1',
  '%count(*)::int AS depth%',
  '%count(*)::int AS dead%',
  '%count(*)::int AS count FROM orders%',
];

// What the bench itself asks is told by this from what it measures.
const ours = '/* bench */';

/**
 * Counts what the server and the broker did. Loads pg_stat_statements first, which needs a restart of Postgres: to be
 * called before anything is measured.
 */
export class Counters {
  private constructor(
    private readonly client: Client,
    private readonly admin: ReturnType<ReturnType<typeof openKafka>['client']['admin']>,
  ) {}

  static async start(system: HarnessSystem): Promise<Counters> {
    const connect = async (): Promise<Client> => {
      const client = new Client({ connectionString: system.postgresUrl });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const first = await connect();
    await first.query(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`);
    await first.end();
    await system.stopPostgres();
    await system.startPostgres();
    const client = await connect();
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    const admin = openKafka({ brokers: system.brokers.split(','), clientId: 'bench' }).client.admin();
    await admin.connect();
    return new Counters(client, admin);
  }

  async read(): Promise<Counts> {
    const { rows } = await this.client.query<
      Record<'faultline' | 'bare' | 'tx_faultline' | 'tx_bare' | 'clocked' | 'wal', string>
    >(
      `SELECT ${ours}
         coalesce(sum(calls) FILTER (WHERE datname LIKE 'faultline%'), 0) AS faultline,
         coalesce(sum(calls) FILTER (WHERE datname LIKE 'bare%'), 0) AS bare,
         coalesce(sum(calls) FILTER (WHERE datname LIKE 'faultline%' AND query IN ('BEGIN', 'COMMIT', 'ROLLBACK')), 0) AS tx_faultline,
         coalesce(sum(calls) FILTER (WHERE datname LIKE 'bare%' AND query IN ('BEGIN', 'COMMIT', 'ROLLBACK')), 0) AS tx_bare,
         coalesce(sum(calls) FILTER (WHERE datname LIKE 'faultline%' AND query LIKE ANY($1)), 0) AS clocked,
         pg_current_wal_lsn() - '0/0' AS wal
       FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE query NOT LIKE '%${ours}%'`,
      [clocked],
    );
    const [row] = rows;
    if (!row) throw new Error('pg_stat_statements does not answer');
    const messages: Record<string, number> = {};
    for (const topic of Object.keys(topics)) {
      const ends = await this.admin.fetchTopicOffsets(topic);
      messages[topic] = ends.reduce((sum, { high }) => sum + Number(high), 0);
    }
    return {
      statements: { faultline: Number(row.faultline), bare: Number(row.bare) },
      transactionControl: { faultline: Number(row.tx_faultline), bare: Number(row.tx_bare) },
      byTheClock: Number(row.clocked),
      wal: Number(row.wal),
      messages,
    };
  }

  /** The statements of the services that were called most, with calls and milliseconds: what a profile begins with. */
  async busiest(
    limit: number,
  ): Promise<{ database: string; calls: number; milliseconds: number; query: string }[]> {
    const { rows } = await this.client.query<{
      database: string;
      calls: number;
      milliseconds: number;
      query: string;
    }>(
      `SELECT ${ours} datname AS database, calls::int, round(total_exec_time)::int AS milliseconds,
              regexp_replace(left(query, 400), '\\s+', ' ', 'g') AS query
       FROM pg_stat_statements JOIN pg_database ON oid = dbid
       WHERE datname LIKE 'faultline%' AND query NOT LIKE '%${ours}%' ORDER BY calls DESC LIMIT $1`,
      [limit],
    );
    return rows;
  }

  async forget(): Promise<void> {
    await this.client.query('SELECT pg_stat_statements_reset()');
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
    await this.client.end();
  }
}
