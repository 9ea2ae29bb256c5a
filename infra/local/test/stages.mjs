// The stages of npm test, one after the other, and their sum.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { followStarter, main } from '../bootstrap.mjs';
import { toolEnv } from '../build.mjs';
import { root } from '../root.mjs';
import { testInfrastructure } from './infrastructure.mjs';
import { closingLine, countResults } from './results.mjs';

const only = process.argv[2];
const results = join(root, '.faultline', 'test-results');
const nxBinary = join(root, 'node_modules', '.bin', 'nx');
let running;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupt());
followStarter(() => interrupt());
let interrupted = false;
function interrupt() {
  interrupted = true;
  // The whole group: Nx, its tasks and their workers.
  if (running) process.kill(-running.pid, 'SIGTERM');
}

function nx(args, env = {}) {
  if (interrupted) return Promise.resolve(1);
  return new Promise((resolve, reject) => {
    running = spawn(nxBinary, [...args, '--output-style=static'], {
      cwd: root,
      env: toolEnv(env),
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    running.once('error', reject);
    running.once('exit', (code) => {
      running = undefined;
      resolve(code ?? 1);
    });
  });
}

const projectsWith = (target) =>
  JSON.parse(
    execFileSync(nxBinary, ['show', 'projects', '--with-target', target, '--json'], {
      cwd: root,
      env: toolEnv(),
      encoding: 'utf8',
    }),
  );

const check = (name, ...args) => ({ name, run: () => nx(args) });
const tests = (kind, run) => ({ name: kind, kind, run });

const stages = [
  // First, since the type-aware lint, the boundaries and the types of one package read what the others were built to.
  { ...check('build', 'run-many', '-t', 'build', '--exclude=workspace'), vital: true },
  check('lint', 'run', 'workspace:lint'),
  check('boundaries', 'run', 'workspace:boundaries'),
  check('format', 'run', 'workspace:format'),
  check('types', 'run-many', '-t', 'types', '--exclude=workspace'),
  tests('unit', () => nx(['run-many', '-t', 'unit', '--exclude=workspace'])),
  tests('integration', async () => {
    const infrastructure = await testInfrastructure();
    try {
      return await nx(
        ['run-many', '-t', 'integration', '--exclude=workspace', '--parallel=1'],
        infrastructure.env,
      );
    } finally {
      await infrastructure.stop();
    }
  }),
  ...(existsSync(join(root, 'e2e', 'package.json')) ? [tests('e2e', () => nx(['run', 'e2e:e2e']))] : []),
].filter(({ name }) => !only || name === only || name === 'build');

await main(async () => {
  rmSync(results, { recursive: true, force: true });
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const report = [];
  let broken = false;
  for (const { name, kind, run, vital } of stages) {
    if (broken) {
      report.push(`– ${name.padEnd(12)}          not run: the build failed`);
      continue;
    }
    console.log(`\n── ${name} ${'─'.repeat(60 - name.length)}`);
    const since = Date.now();
    const code = await run().catch((error) => {
      console.error(error);
      return 1;
    });
    const counts = kind
      ? countResults(results, kind, projectsWith(kind))
      : { passed: 0, failed: 0, skipped: 0, missing: [] };
    // It failed, and no test says so: that must not get lost in the sum.
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    for (const key of Object.keys(sum)) sum[key] += counts[key];
    broken ||= vital === true && code !== 0;
    const missing = counts.missing.length > 0 ? `  no result from ${counts.missing.join(', ')}` : '';
    const mark = counts.failed > 0 ? '✘' : '✔';
    report.push(
      `${mark} ${name.padEnd(12)} ${((Date.now() - since) / 1000).toFixed(1).padStart(6)} s${kind ? `  ${closingLine(counts)}` : ''}${missing}`,
    );
    if (interrupted) break;
  }
  console.log(`\n${report.join('\n')}\n\n${closingLine(sum)}`);
  return sum.failed > 0 || interrupted ? 1 : 0;
});
process.exit(process.exitCode);
