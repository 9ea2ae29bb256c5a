import pg from 'pg';
import { SERVICES, type ServiceName, type System } from './system.js';

/** The three databases of a system, read from outside: what the services' own reads never show. */
export interface Databases {
  /** Rows of one statement. int8 arrives as a number. Throws when the server is away. */
  read<Row extends object>(service: ServiceName, text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

// Every number here is far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? Number
      : (pg.types.getTypeParser(oid, format) as unknown)) as typeof pg.types.getTypeParser,
};

export function openDatabases(system: Pick<System, 'databaseUrl'>): Databases {
  const pools = new Map(
    SERVICES.map((service) => {
      const pool = new pg.Pool({
        connectionString: system.databaseUrl(service),
        application_name: 'harness',
        max: 2,
        connectionTimeoutMillis: 5000,
        query_timeout: 120_000,
        types,
      });
      // A server that is killed closes idle connections; without a listener that would end this process.
      pool.on('error', () => undefined);
      pool.on('connect', (client) => client.on('error', () => undefined));
      return [service, pool] as const;
    }),
  );
  return {
    async read<Row extends object>(
      service: ServiceName,
      text: string,
      values: readonly unknown[] = [],
    ): Promise<Row[]> {
      const pool = pools.get(service);
      if (!pool) throw new Error(`no database of ${service}`);
      return (await pool.query<Row>(text, [...values])).rows;
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
    },
  };
}
