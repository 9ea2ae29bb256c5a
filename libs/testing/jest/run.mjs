// node run.mjs <unit|integration|e2e> <project> [folder] [jest arguments]
// Runs Jest for the package in the folder (the current one) and leaves its counts where `npm test` adds them up.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [kind, project, folder = '.', ...rest] = process.argv.slice(2);
const results = fileURLToPath(new URL('../../../.faultline/test-results/', import.meta.url));
mkdirSync(results, { recursive: true });
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    jest,
    '--config',
    fileURLToPath(new URL(`${kind}.mjs`, import.meta.url)),
    '--passWithNoTests',
    '--json',
    '--outputFile',
    `${results}${project}.${kind}.json`,
    ...rest,
  ],
  { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
);
process.exit(status ?? 1);
