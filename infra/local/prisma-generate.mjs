// Runs `prisma generate` for the project in the current folder, without a network.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const prisma = dirname(createRequire(import.meta.url).resolve('prisma/package.json'));
// Generating never starts the schema engine, but Prisma downloads one from a host of its own unless it is told that
// there is one: any existing file will do.
const env = {
  ...process.env,
  PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
};
const { status } = spawnSync(
  process.execPath,
  [join(prisma, 'build/index.js'), 'generate', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env,
  },
);
process.exit(status ?? 1);
