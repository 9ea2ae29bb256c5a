import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { Problem } from './problem.mjs';
import { node, root } from './root.mjs';

/** The environment in which the project's tools run: its own Node first, and no Nx daemon that would outlive us. */
export const toolEnv = (more = {}) => ({
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), dirname(node), process.env.PATH].join(delimiter),
  NX_DAEMON: 'false',
  NX_TUI: 'false',
  NX_NO_CLOUD: 'true',
  ...more,
});

/** Builds what changed. Throws a Problem with the compiler's words. */
export async function build(names, { log, say = () => {} } = {}) {
  const { code, output } = await nx([
    'run-many',
    '-t',
    'build',
    '-p',
    names.join(','),
    '--output-style=static',
  ]);
  if (log) {
    mkdirSync(dirname(log), { recursive: true });
    appendFileSync(log, output);
  }
  if (code !== 0) throw new Problem(`The build failed:\n${output.split('\n').slice(-60).join('\n')}`);
  say(/read the output from the cache.* for (\d+) out of \1 tasks/s.test(output) ? 'nothing changed' : '');
}

function nx(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'node_modules', '.bin', 'nx'), args, {
      cwd: root,
      env: toolEnv(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
