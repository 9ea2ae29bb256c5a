// node e2e/kill-test.mjs: the long version of kills.e2e.spec.ts. The services must have been built (npm run build).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `node e2e/kill-test.mjs      starts a system of its own, places orders, kills random services with -9, audits
  --kills N      how many (20)
  --seconds N    within how long (120)
  --rate N       orders per second (20)
  --seed N       the same kills and orders again (another one each time)
  --keep-logs    leaves the logs under .faultline/e2e
  --help         this`;

let values;
try {
  ({ values } = parseArgs({
    options: {
      kills: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      seed: { type: 'string' },
      'keep-logs': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }));
} catch (error) {
  console.error(`${error.message}\n\n${HELP}`);
  process.exit(2);
}
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
for (const name of ['kills', 'seconds', 'rate', 'seed']) {
  const given = values[name];
  if (given !== undefined && !(Number.isInteger(Number(given)) && Number(given) >= 0)) {
    console.error(`--${name} is ${given}; it must be a whole number.\n\n${HELP}`);
    process.exit(2);
  }
}
const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (!existsSync(join(root, 'apps', 'order', 'dist', 'main.js'))) {
  console.error('The services are not built: run npm run build first.');
  process.exit(1);
}
const own = join(root, 'node_modules', 'node', 'bin', 'node');
const { status } = spawnSync(
  existsSync(own) ? own : process.execPath,
  [join(root, 'libs/testing/jest/run.mjs'), 'e2e', 'kill-test', join(root, 'e2e'), 'kills'],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      FAULTLINE_LONG: '1',
      ...(values.kills ? { FAULTLINE_KILLS: values.kills } : {}),
      ...(values.seconds ? { FAULTLINE_SECONDS: values.seconds } : {}),
      ...(values.rate ? { FAULTLINE_RATE: values.rate } : {}),
      ...(values.seed ? { FAULTLINE_SEED: values.seed } : {}),
      ...(values['keep-logs'] ? { FAULTLINE_KEEP_LOGS: '1' } : {}),
    },
  },
);
process.exit(status ?? 1);
