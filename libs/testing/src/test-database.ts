import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { migrate, openDatabase, type Database } from '@faultline/database';
import pg from 'pg';
import { fromTestRun } from './environment.js';

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  /** Closes the connections and drops the database. */
  drop(): Promise<void>;
}

/** A database of its own for a test file, on the Postgres of the test run, with the migrations of the folder. */
export async function testDatabase(migrations: URL): Promise<TestDatabase> {
  const server = fromTestRun('TEST_POSTGRES_URL');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  await migrate(url, fileURLToPath(migrations));
  const database = openDatabase({ url, applicationName: 'test', connections: 10 });
  return {
    url,
    database,
    async drop() {
      await database.close();
      const admin = new pg.Client({ connectionString: server });
      await admin.connect();
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
