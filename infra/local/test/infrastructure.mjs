import { mkdtempSync, rmSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.mjs';
import { startSystem } from '../system.mjs';
import { removePostgres } from '../postgres.mjs';

/** A Postgres and a Kafka for tests, in a folder of their own that goes with them. */
export async function testInfrastructure({ progress } = {}) {
  const parent = join(root, '.faultline', 'tests');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'infra-'));
  const remove = () => {
    removePostgres(join(folder, 'data', 'postgres'));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const system = await startSystem({
      folder,
      services: [],
      ports: 'free',
      infra: process.env.INFRA || undefined,
      progress,
    });
    return {
      env: { TEST_POSTGRES_URL: system.postgresUrl, TEST_KAFKA_BROKERS: system.brokers },
      async stop() {
        await system.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
