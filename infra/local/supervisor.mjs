// The half of npm start that runs on the project's own Node: starts the system, keeps it alive, stops it.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { followStarter, main } from './bootstrap.mjs';
import { build } from './build.mjs';
import { createProgress } from './progress.mjs';
import { replicasFrom } from './replicas.mjs';
import { root } from './root.mjs';
import { GATEWAY, portsFrom, SERVICES, startSystem } from './system.mjs';

const folder = process.env.FAULTLINE_FOLDER || join(root, '.faultline');
const clock = () => new Date().toTimeString().slice(0, 8);

const progress = createProgress();
const began = Date.now();
let system;
let stopped;

await main(async () => {
  const end = new Promise((resolve) => (stopped = resolve));
  let asked = 0;
  const ask = (why) => {
    // A terminal sends Ctrl-C to npm and to us, and npm passes it on: that is one wish, not two.
    if (asked && Date.now() - asked < 1500) return;
    if (asked) return;
    asked = Date.now();
    progress.note(`\nStopping (${why}) …`);
    stopped();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => ask(signal));
  followStarter(ask);

  const { values } = parseArgs({ options: { fresh: { type: 'boolean' }, replicas: { type: 'string' } } });
  const replicas = replicasFrom(values.replicas);
  const starting = startSystem({
    folder,
    replicas,
    ports: portsFrom(process.env, { replicas }),
    infra: process.env.INFRA || undefined,
    durable: true,
    // On loopback anybody who has the token may break it: that is what it is for.
    env: { FAULTLINE_CHAOS: process.env.FAULTLINE_CHAOS || 'on' },
    fresh: values.fresh ?? false,
    takeOver: true,
    progress,
    tell,
    build: (steps) =>
      steps.step('Build', (say) =>
        build([...SERVICES, GATEWAY], { log: join(folder, 'logs', 'build.log'), say }),
      ),
  });
  const first = await Promise.race([starting.then((started) => ({ started })), end.then(() => ({}))]);
  // Asked to stop in the middle of starting: what is under way is waited for, then ended.
  system = first.started ?? (await starting.catch(() => undefined));
  if (first.started) {
    console.log(whatNext(first.started));
    globalThis.gc?.();
    await end;
  }
  const since = Date.now();
  await system?.stop();
  progress.note(`Everything is stopped (${((Date.now() - since) / 1000).toFixed(1)} s).`);
  process.exit(0);
});
// Nothing is left to wait for, and a failed start has ended what it started.
process.exit(process.exitCode);

function tell({ name, what, code, signal, retryInMs, error, pid }) {
  const why = signal ?? `exit code ${code}`;
  const text = {
    died: () => `${name} died (${why}); starting it again in ${retryInMs / 1000} s`,
    restarted: () => `${name} runs again (pid ${pid})`,
    'not started': () => `${name} could not be started: ${error.message}; again in ${retryInMs / 1000} s`,
  }[what];
  progress.note(`${clock()}  ${text()}`);
}

function whatNext({ urls, ports, replicas, replicaUrls }) {
  const relative = folder === join(root, '.faultline') ? '.faultline' : folder;
  const listed = SERVICES.filter((service) => replicas(service).length > 1)
    .map((service) => `  ${`Replicas of ${service}`.padEnd(26)} ${replicaUrls(service).join('   ')}\n`)
    .join('');
  return `
Faultline runs, after ${((Date.now() - began) / 1000).toFixed(1)} s. Place an order:

  curl -s ${urls.order}/orders -H 'content-type: application/json' -H "idempotency-key: first-$(date +%s)" -H 'prefer: wait=10' -d '{"customerId":"customer-1","lines":[{"sku":"tea-green","quantity":2}]}'

  What each service can do   ${urls.order}/docs   ${urls.inventory}/docs   ${urls.payment}/docs
  And the card gateway       ${urls[GATEWAY]}/docs
${listed}  Follow a log               npm start -- --logs order   (inventory, payment, payment-gateway, postgres, kafka)
  Break it                   npm run fault -- --help   or: kill -9 $(lsof -tiTCP:${ports.payment} -sTCP:LISTEN)   and place another order
  Operations' token          ${relative}/service-token
  Stop                       Ctrl-C
`;
}
