import pg from 'pg';
import { arrayLiteral } from './array-literal.js';
import { brokeTheConnection, DatabaseUnavailable, OutcomeUnknown, sqlState } from './errors.js';
import { type Part, partsWithRows, readTogether, type Statement, writeTogether } from './statement.js';

export interface DatabaseOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Connections at most. */
  readonly connections: number;
  /** How long to wait for a connection, in milliseconds. */
  readonly connectTimeout?: number;
  /** How long one statement may take, in milliseconds; a frozen server then costs a connection and not the service. */
  readonly statementTimeout?: number;
}

/** The open transaction of one step. Everything that belongs to the step goes through it, and nothing else does. */
export interface Transaction {
  query<Row extends pg.QueryResultRow>(statement: Statement | pg.QueryConfig): Promise<Row[]>;
  /** Sends the parts as one statement and answers how many rows each touched, by name. */
  write(parts: readonly Part[]): Promise<Record<string, number>>;
  /** Sends the parts as one statement and answers the rows of each, by name. */
  read(parts: readonly Part[]): Promise<Record<string, unknown[]>>;
}

/** One service's database. Owns the connections; knows nothing of tables. */
export interface Database {
  readonly pool: pg.Pool;
  /**
   * Runs the work between BEGIN and COMMIT at READ COMMITTED; whatever it throws rolls back and is thrown on.
   * Throws DatabaseUnavailable when nothing was committed for want of a connection, and OutcomeUnknown when the
   * connection broke at COMMIT.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** A single statement that is its own transaction. It may have committed when the connection breaks: OutcomeUnknown. */
  write(parts: readonly Part[]): Promise<Record<string, number>>;
  /** A single statement that only reads. */
  query<Row extends pg.QueryResultRow>(statement: Statement | pg.QueryConfig): Promise<Row[]>;
  close(): Promise<void>;
}

// int8 arrives as text by default. Every amount and counter here is far below 2^53; beyond it we stop rather than round.
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === pg.types.builtins.INT8 && format !== 'binary') {
      return (text: string) => {
        const value = Number(text);
        if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond the safe integers`);
        return value;
      };
    }
    return pg.types.getTypeParser(oid, format) as unknown;
  },
} as pg.CustomTypesConfig;

// A statement prepared while its table was empty keeps the sequential scan it was planned with: measured at 8.6 against
// 7.7 CPU seconds per 1,000 orders. Every statement of a step goes by key, so the other plans are never wanted. For the
// same reason one plan fits all values: some statements were planned anew at every call because an array's length was
// thought to matter (0.08 ms of planning for 0.02 ms of work).
const plans = [
  ...['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan'].map(
    (each) => `${each}=off`,
  ),
  'plan_cache_mode=force_generic_plan',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.connections,
    connectionTimeoutMillis: options.connectTimeout ?? 3000,
    query_timeout: (options.statementTimeout ?? 15_000) + 2000,
    statement_timeout: options.statementTimeout ?? 15_000,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
    options: plans,
    types,
  });
  // A connection that the server closes, idle or between two statements of a transaction, fails its next use and is
  // replaced; without a listener on pool and client it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw new DatabaseUnavailable(error);
    }
  };

  return {
    pool,

    async transaction(work) {
      const client = await connect();
      let committing = false;
      try {
        await client.query('BEGIN');
        const result = await work(transactionOn(client));
        committing = true;
        const { command } = await client.query('COMMIT');
        // The server answers COMMIT of a failed transaction with ROLLBACK and no error: work that swallowed the
        // failure of a statement must not be taken for committed.
        committing = false;
        if (command !== 'COMMIT')
          throw new Error('the transaction was rolled back: its work hid a failed statement');
        client.release();
        return result;
      } catch (error) {
        // At COMMIT only an answer of the server tells what happened.
        if (brokeTheConnection(error) || (committing && sqlState(error) === undefined)) {
          client.release(true);
          throw committing ? new OutcomeUnknown(error) : new DatabaseUnavailable(error);
        }
        await client.query('ROLLBACK').then(
          () => client.release(),
          () => client.release(true),
        );
        throw error;
      }
    },

    async write(parts) {
      const client = await connect();
      try {
        const counts = await writeOn(client, parts);
        client.release();
        return counts;
      } catch (error) {
        const broke = brokeTheConnection(error);
        client.release(broke);
        throw broke ? new OutcomeUnknown(error) : error;
      }
    },

    async query<Row extends pg.QueryResultRow>(statement: Statement | pg.QueryConfig) {
      const client = await connect();
      try {
        const { rows } = await client.query<Row>(config(statement));
        client.release();
        return rows;
      } catch (error) {
        const broke = brokeTheConnection(error);
        client.release(broke);
        throw broke ? new DatabaseUnavailable(error) : error;
      }
    },

    close: () => pool.end(),
  };
}

function transactionOn(client: pg.PoolClient): Transaction {
  return {
    async query<Row extends pg.QueryResultRow>(statement: Statement | pg.QueryConfig) {
      return (await client.query<Row>(config(statement))).rows;
    },
    write: (parts) => writeOn(client, parts),
    async read(parts) {
      const [row] = (await client.query<Record<string, unknown[]>>(config(readTogether(parts)))).rows;
      return row ?? {};
    },
  };
}

async function writeOn(client: pg.PoolClient, parts: readonly Part[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = Object.fromEntries(parts.map(({ name }) => [name, 0]));
  const some = partsWithRows(parts);
  if (some.length === 0) return counts;
  const [row] = (await client.query<Record<string, number>>(config(writeTogether(some)))).rows;
  return Object.assign(counts, row);
}

function config(statement: Statement | pg.QueryConfig): pg.QueryConfig {
  const values: readonly unknown[] = statement.values ?? [];
  return {
    ...statement,
    values: values.map((value) => (Array.isArray(value) ? arrayLiteral(value as unknown[]) : value)),
  };
}
