// Processes as the operating system knows them: who they are, their pid files, how they are started and ended.
import { execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  readdirSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const linux = process.platform === 'linux';

/**
 * What tells a process from a later one with the same pid: when it started, and its command line. Null when there is
 * no such process, or only its remains (a zombie).
 */
export function identify(pid) {
  try {
    if (linux) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name, in parentheses, may hold anything; what follows its last parenthesis is regular.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return null;
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return { started: `${boot}/${fields[19]}`, command };
    }
    const ps = (column) =>
      execFileSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
    if (/^[ZX]/.test(ps('state'))) return null;
    return { started: ps('lstart'), command: ps('command') };
  } catch {
    return null;
  }
}

/** Whether the process of this record lives: the same pid, started at the same time, with the same command line. */
export function isAlive(record) {
  const now = identify(record.pid);
  return now !== null && now.started === record.started && now.command === record.command;
}

/** The pid of a process's parent; null when it is gone. */
export function parentOf(pid) {
  try {
    if (!linux) return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}

/** What a pid file says about a process. */
export function recordOf(name, pid) {
  const identity = identify(pid);
  return identity && { name, pid, ...identity };
}

/** The record in a pid file; null when there is none, or nothing that can be trusted. */
export function readPidFile(file) {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8'));
    return Number.isInteger(record?.pid) && record.pid > 1 ? record : null;
  } catch {
    return null;
  }
}

export function writePidFile(file, record) {
  mkdirSync(dirname(file), { recursive: true });
  // Written aside and renamed: a reader never sees half of it.
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(record));
  renameSync(`${file}.${process.pid}`, file);
}

/**
 * Starts a program in a session of its own (Ctrl-C in the terminal then reaches only the supervisor, which ends things
 * in order), its output appended to a log file and not to a pipe (it outlives a killed supervisor unharmed). Resolves
 * when it runs; `exited` resolves with { code, signal }.
 */
export async function spawnLogged({
  name,
  command,
  args = [],
  cwd,
  env = process.env,
  log,
  pidFile,
  uid,
  gid,
}) {
  mkdirSync(dirname(log), { recursive: true });
  const out = openLog(log);
  const child = spawn(command, args, { cwd, env, uid, gid, detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const record = recordOf(name, child.pid);
  if (pidFile && record) writePidFile(pidFile, record);
  const ended = exited.then((exit) => {
    if (pidFile && readPidFile(pidFile)?.pid === child.pid) rmSync(pidFile, { force: true });
    return exit;
  });
  return { pid: child.pid, child, exited: ended };
}

const LOG_LIMIT = 20 * 1024 * 1024;

function openLog(file) {
  try {
    if (statSync(file).size > LOG_LIMIT) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
  return openSync(file, 'a', 0o640);
}

/** Sends a signal; false when the process is gone. */
export function send(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}

/** The process and all that descend from it, parents first. */
export function family(pid) {
  const children = new Map();
  const add = (child, parent) => children.set(parent, [...(children.get(parent) ?? []), child]);
  if (linux) {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
        add(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      } catch {
        // It ended while we looked.
      }
    }
  } else {
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    for (const line of table.trim().split('\n')) add(...line.trim().split(/\s+/).map(Number));
  }
  const found = [pid];
  for (const member of found) found.push(...(children.get(member) ?? []));
  return found;
}

/** Stops the process and its children from running, without ending them: they keep their connections and say nothing. */
export function freeze(pid) {
  // The parent first: it then makes no new children.
  send(pid, 'SIGSTOP');
  for (const member of family(pid)) send(member, 'SIGSTOP');
}

export function thaw(pid) {
  for (const member of family(pid).reverse()) send(member, 'SIGCONT');
}

/** Ends a process: the signal, and after `within` milliseconds SIGKILL. Resolves when it is gone. */
export async function end(pid, { signal = 'SIGTERM', within = 8000, exited } = {}) {
  const gone = exited ?? whenGone(pid);
  if (!send(pid, signal)) return gone;
  thaw(pid);
  const timer = setTimeout(() => {
    for (const member of family(pid)) send(member, 'SIGKILL');
  }, within);
  try {
    return await gone;
  } finally {
    clearTimeout(timer);
  }
}

async function whenGone(pid) {
  const first = identify(pid);
  if (!first) return;
  while (identify(pid)?.started === first.started) await sleep(25);
}

/**
 * Ends what an earlier run left: the process of this pid file, if it is still the one that was written there. Anything
 * else that has its pid by now is left alone. Answers whether there was something to end.
 */
export async function endLeftOver(pidFile, options) {
  const record = readPidFile(pidFile);
  const ours = record !== null && isAlive(record);
  if (ours) await end(record.pid, options);
  rmSync(pidFile, { force: true });
  return ours;
}
