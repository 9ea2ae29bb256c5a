// The first steps of every command, on whatever Node the system has and with nothing installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lock } from './lock.mjs';
import { Problem } from './problem.mjs';
import { isAlive, parentOf, recordOf } from './processes.mjs';
import { createProgress } from './progress.mjs';
import { root } from './root.mjs';

const OLDEST_NODE = 20;

// It only watches: 25 MB less.
const THIN = ['--max-semi-space-size=1', '--optimize-for-size', '--expose-gc'];

export function demandNode(version = process.versions.node) {
  if (Number(version.split('.')[0]) < OLDEST_NODE) {
    throw new Problem(
      `This is Node ${version}; Node ${OLDEST_NODE} or newer is needed to start (the project brings the Node it runs on).`,
    );
  }
  if (process.platform === 'win32') {
    throw new Problem('On Windows, Faultline runs inside WSL2: clone it there and run the command again.');
  }
}

const lockFile = join(root, 'package-lock.json');
const marker = join(root, '.faultline', 'installed.json');

// What an installation depends on. Platform too: a folder may be shared with a container.
const fingerprint = () =>
  JSON.stringify({
    lock: createHash('sha256').update(readFileSync(lockFile)).digest('hex'),
    platform: process.platform,
    arch: process.arch,
  });

/** Whether node_modules is what package-lock.json says. */
export function isInstalled() {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  const npms = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(own) || !existsSync(npms)) return false;
  const wanted = fingerprint();
  const done = existsSync(marker) ? readFileSync(marker, 'utf8') : '';
  if (done === wanted) return true;
  // Somebody ran npm by hand: npm writes its own record last, so it is whole when it is newer than the lock file.
  if (statSync(npms).mtimeMs < statSync(lockFile).mtimeMs) return false;
  if (spawnSync(own, ['-e', '0']).status !== 0) return false;
  remember(wanted);
  return true;
}

function remember(what) {
  mkdirSync(join(root, '.faultline'), { recursive: true });
  writeFileSync(marker, what);
}

/** Installs the packages when they are missing or others than package-lock.json says. */
export async function install(progress = createProgress()) {
  if (isInstalled()) return;
  const release = await lock(join(root, '.faultline', 'install.pid'), (owner) =>
    progress.note(`Another run (pid ${owner.pid}) is installing: waiting for it`),
  );
  try {
    if (isInstalled()) return;
    await progress.step('Packages', async (say) => {
      say('npm ci, a minute or so');
      const { code, output } = await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
      if (code !== 0) throw new Problem(`npm ci failed:\n${output.trim()}`);
      say('installed');
    });
    await ownNode(progress);
    remember(fingerprint());
  } finally {
    release();
  }
}

// The package `node` puts its binary in place by an install script, which npm may have been told not to run.
async function ownNode(progress) {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(own) && spawnSync(own, ['-e', '0']).status === 0) return;
  await progress.step('Node', async () => {
    const { code, output } = await npm([
      'rebuild',
      'node',
      '@swc/core',
      'nx',
      '--ignore-scripts=false',
      '--loglevel=error',
    ]);
    if (code !== 0 || !existsSync(own)) {
      throw new Problem(
        `The Node of package-lock.json was not installed; npm's settings may forbid install scripts.\n${output.trim()}`,
      );
    }
  });
}

function npm(args) {
  // Not through the shell's search path when npm itself started us: it knows where it lies.
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** The npm that runs this script, as a record; null when there is none. */
export function startedByNpm() {
  if (!process.env.npm_lifecycle_event) return null;
  // npm starts a shell, and not every shell makes way for the program it starts.
  const parent = recordOf('npm', process.ppid);
  const isShell = parent !== null && /^(\S*\/)?\w*sh -c /.test(parent.command);
  return isShell ? recordOf('npm', parentOf(process.ppid)) : parent;
}

/**
 * Runs a module of this folder under the project's own Node and ends as it ends. Signals are passed on. When npm, which
 * started us, is killed, the child is ended too: nobody could stop it any more.
 */
export async function runWithOwnNode(module, args, { env = {}, flags = THIN } = {}) {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  const child = spawn(own, [...flags, join(root, 'infra', 'local', module), ...args], {
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
      FAULTLINE_STARTER: String(process.pid),
      ...env,
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const npm = startedByNpm();
  if (npm) {
    const timer = setInterval(() => {
      if (isAlive(npm)) return;
      clearInterval(timer);
      child.kill('SIGTERM');
    }, 1000);
    timer.unref();
  }
  const { code, signal } = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return code ?? (signal === 'SIGKILL' ? 137 : 1);
}

/** In the child: calls `stop` when the process that started it is gone. */
export function followStarter(stop) {
  const starter = Number(process.env.FAULTLINE_STARTER);
  if (!starter || process.ppid !== starter) return;
  setInterval(() => {
    if (process.ppid !== starter) stop('the process that started it was killed');
  }, 500).unref();
}

/** Runs a command's body: a Problem is shown as the sentence it is, anything else with its stack. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    process.exitCode = 1;
    console.error(error instanceof Problem ? `\n${error.message}` : error);
  }
}
