// npm start: everything, from nothing but Node and Java. This half runs on any Node 20 without a package installed; the
// other half is supervisor.mjs.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { demandNode, install, main, runWithOwnNode, startedByNpm } from './bootstrap.mjs';
import { tryLock } from './lock.mjs';
import { followLog } from './logs.mjs';
import { Problem } from './problem.mjs';
import { end, isAlive } from './processes.mjs';
import { replicasFrom } from './replicas.mjs';
import { root } from './root.mjs';

const HELP = `npm start                      starts Postgres, Kafka and the services; Ctrl-C stops them
npm start -- --fresh           the same, after removing the data of earlier runs
npm start -- --replicas 2      two processes of each service (1 to 3), each on a port of its own
npm start -- --logs <process>  follows a log: order, order-2, inventory, payment, payment-gateway, postgres, kafka
npm start -- --help            this

Settings (environment):
  ORDER_PORT 3001, PAYMENT_PORT 3002, INVENTORY_PORT 3003; of further replicas ORDER_2_PORT 3011, ORDER_3_PORT 3021, …
  PAYMENT_GATEWAY_PORT 3004, POSTGRES_PORT 15432, KAFKA_PORT 19092, KAFKA_CONTROLLER_PORT 19093
  INFRA=embedded   Postgres and Kafka as processes (the default where there is Java, or pip to fetch one)
  INFRA=docker     as containers (the default where there is neither, but Docker)
  INFRA=external   yours: POSTGRES_URL=postgres://user:password@host:port KAFKA_BROKERS=host:port
                   (Postgres needs max_prepared_transactions > 0)
  OTEL_EXPORTER_OTLP_ENDPOINT    where traces go, beside the files that npm run trace reads
  FAULTLINE_FOLDER               where data, logs and pid files live; .faultline
Linux and macOS; on Windows inside WSL2. Node 20 or newer.`;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        fresh: { type: 'boolean' },
        logs: { type: 'string' },
        replicas: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new Problem(`${error.message.split('. ')[0]}.\n\n${HELP}`);
  }
}

/** Only one start per folder. What a killed npm left running here is ended first. */
async function onlyOne(folder) {
  // Whoever started us through npm can stop us through npm only; when that is gone, we are left over.
  const launcher = startedByNpm();
  for (;;) {
    const { release, owner } = await tryLock(join(folder, 'run', 'start.pid'), { launcher });
    if (release) return release;
    if (owner.launcher && !isAlive(owner.launcher)) {
      console.log(`Ending what a killed run left (pid ${owner.pid}) …`);
      await end(owner.pid, { within: 12_000 });
      continue;
    }
    throw new Problem(
      `Faultline runs already (pid ${owner.pid}). Stop it there with Ctrl-C, or with: kill ${owner.pid}`,
    );
  }
}

await main(async () => {
  const { help, logs, fresh, replicas } = options();
  if (help) return console.log(HELP);
  const wanted = replicasFrom(replicas);
  const folder = process.env.FAULTLINE_FOLDER || join(root, '.faultline');
  if (logs !== undefined) return followLog(folder, logs);
  demandNode();
  const release = await onlyOne(folder);
  try {
    await install();
    return await runWithOwnNode('supervisor.mjs', [
      '--replicas',
      String(wanted),
      ...(fresh ? ['--fresh'] : []),
    ]);
  } finally {
    release();
  }
});
