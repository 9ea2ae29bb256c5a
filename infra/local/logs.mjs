// npm start -- --logs <process>
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from './problem.mjs';
import { processNamed } from './replicas.mjs';

const LEVELS = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
const COLOURS = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 35 };
const SHOWN_ELSEWHERE = new Set([
  'level',
  'time',
  'msg',
  'pid',
  'hostname',
  'service',
  'instance',
  'span_id',
  'trace_flags',
]);

/** A line of JSON as a person reads it; any other line as it is. */
export function pretty(line, colour) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (entry === null || typeof entry !== 'object') return line;
  const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const level = LEVELS[entry.level] ?? String(entry.level ?? 'info');
  const time = new Date(entry.time ?? Date.now()).toTimeString().slice(0, 8);
  const fields = Object.entries(entry)
    .filter(([name]) => !SHOWN_ELSEWHERE.has(name))
    .map(
      ([name, value]) =>
        `${paint(90, `${name}=`)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  return [paint(90, time), paint(COLOURS[level] ?? 0, level.padEnd(5)), entry.msg ?? '', ...fields].join(' ');
}

/** Shows the last lines of a log and then whatever comes, until Ctrl-C. */
export async function followLog(folder, name, { out = process.stdout, from = 64 * 1024 } = {}) {
  const logs = join(folder, 'logs');
  const file = join(logs, `${processNamed(name)}.log`);
  if (!/^[\w-]+$/.test(name) || !existsSync(file)) {
    const there = existsSync(logs)
      ? readdirSync(logs)
          .filter((entry) => entry.endsWith('.log'))
          .map((entry) => entry.slice(0, -4))
      : [];
    throw new Problem(
      there.length > 0
        ? `There is no log of ${name}; there are: ${there.join(', ')}.`
        : 'There are no logs yet: npm start makes them.',
    );
  }
  const show = (line) => out.write(`${out.isTTY ? pretty(line, !process.env.NO_COLOR) : line}\n`);
  out.on('error', () => process.exit(0));
  let position = Math.max(0, statSync(file).size - from);
  let rest = '';
  let first = position > 0;
  for (;;) {
    const size = existsSync(file) ? statSync(file).size : 0;
    // A new file has taken its place.
    if (size < position) position = 0;
    if (size > position) {
      const descriptor = openSync(file, 'r');
      const chunk = Buffer.alloc(Math.min(size - position, 1024 * 1024));
      position += readSync(descriptor, chunk, 0, chunk.length, position);
      closeSync(descriptor);
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      if (first) lines.shift();
      first = false;
      lines.forEach(show);
    } else {
      await sleep(200);
    }
  }
}
