import { readdirSync, readFileSync } from 'node:fs';

/** Whose CPU time is told apart. `bare` is the process of the plain-SQL case; `load` places the orders. */
export type Group = 'order' | 'inventory' | 'payment' | 'postgres' | 'kafka' | 'bare' | 'load';
export type Pids = Readonly<Partial<Record<Group, number | undefined>>>;

// The kernel's USER_HZ, which is 100 on every Linux that Node runs on.
const ticksPerSecond = 100;

/**
 * CPU seconds that each group has used so far, with its children, those that have ended too; the load generator without
 * its children, for that is everybody. Linux only.
 */
export function cpuSeconds(pids: Pids): Record<string, number> {
  return ofEach(pids, (group, pid) =>
    sum(membersOf(group, pid).map((member) => secondsOf(member, group !== 'load' && member === pid))),
  );
}

/** CPU seconds of the whole machine: busy ones, and those that the host gave to others (steal). */
export function machineSeconds(): { readonly busy: number; readonly stolen: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = readFileSync(
    '/proc/stat',
    'utf8',
  )
    .split('\n', 1)
    .join('')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return {
    busy: (user + nice + system + irq + softirq) / ticksPerSecond,
    stolen: stolen / ticksPerSecond,
  };
}

/** Megabytes that each group holds; pages that Postgres's processes share count once. */
export function memoryMegabytes(pids: Pids): Record<string, number> {
  return ofEach(pids, (group, pid) =>
    Math.round(sum(membersOf(group, pid).map(proportionalKilobytes)) / 1024),
  );
}

function ofEach(pids: Pids, figure: (group: string, pid: number) => number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(pids).flatMap(([group, pid]) => (pid === undefined ? [] : [[group, figure(group, pid)]])),
  );
}

const membersOf = (group: string, pid: number): number[] => (group === 'load' ? [pid] : familyOf(pid));

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; what follows its last parenthesis is regular.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

// utime and stime, and of the first of a family what its ended children used: a backend that ends is not forgotten.
function secondsOf(pid: number, withEnded: boolean): number {
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = statOf(pid).slice(11, 15).map(Number);
  return (utime + stime + (withEnded ? cutime + cstime : 0)) / ticksPerSecond;
}

function familyOf(pid: number): number[] {
  const parents = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const children = Map.groupBy(parents, (entry) => Number(statOf(Number(entry))[1]));
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []).map(Number));
  return family;
}

function proportionalKilobytes(pid: number): number {
  try {
    const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Number(pss?.[1] ?? 0);
  } catch {
    return 0;
  }
}
