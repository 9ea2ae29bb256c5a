import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.mjs';
import { startSystem } from '../system.mjs';
import { removePostgres } from '../postgres.mjs';
import { endLeftOver, isAlive, readPidFile } from '../processes.mjs';
import { testInfra } from './choice.mjs';
import { startContainers } from './containers.mjs';

/** A Postgres and a Kafka for tests: containers, or processes in a folder of their own that goes with them. */
export async function testInfrastructure({ progress } = {}) {
  const infra = testInfra();
  if (infra === 'containers') {
    const { postgresUrl, brokers, stop } = await startContainers();
    return { env: { TEST_POSTGRES_URL: postgresUrl, TEST_KAFKA_BROKERS: brokers }, stop };
  }
  const parent = join(root, '.faultline', 'tests');
  mkdirSync(parent, { recursive: true });
  await removeAbandoned(parent);
  const folder = mkdtempSync(join(parent, 'infra-'));
  try {
    const system = await startSystem({
      folder,
      services: [],
      ports: 'free',
      infra,
      progress,
    });
    return {
      env: { TEST_POSTGRES_URL: system.postgresUrl, TEST_KAFKA_BROKERS: system.brokers },
      async stop() {
        await system.stop();
        remove(folder);
      },
    };
  } catch (error) {
    remove(folder);
    throw error;
  }
}

/** What test runs that were killed left: their servers are ended, their folders go. */
async function removeAbandoned(parent) {
  for (const name of readdirSync(parent)) {
    const run = join(parent, name, 'run');
    const owner = readPidFile(join(run, 'system.pid'));
    // Without an owner it may be one that is only now beginning.
    if (!owner || isAlive(owner)) continue;
    await endLeftOver(join(run, 'kafka.pid'), { within: 5000 });
    await endLeftOver(join(run, 'postgres.pid'), { within: 5000, signal: 'SIGINT' });
    remove(join(parent, name));
  }
}

function remove(folder) {
  removePostgres(join(folder, 'data', 'postgres'));
  rmSync(folder, { recursive: true, force: true });
}
