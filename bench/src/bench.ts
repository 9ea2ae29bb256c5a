import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verdicts } from './goals.js';
import { measureFullTables } from './full-tables.js';
import { measureKills } from './kill.js';
import { kindOf, machine } from './machine.js';
import { HELP, readOptions, type Options } from './options.js';
import { quietBelow, reportOf } from './report.js';
import { findingsOf, foreignShareOf, type Results } from './results.js';
import { Session } from './session.js';
import { measureSpeed, type Say } from './speed.js';
import { measureTracing } from './tracing.js';

const folder = fileURLToPath(new URL('../results', import.meta.url));

/** Prints the speed of Faultline beside plain SQL. Answers 1 when an audit found something or a goal was missed. */
export async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const begun = performance.now();
  const say: Say = (line) => {
    const at = (performance.now() - begun) / 1000;
    process.stdout.write(`${at.toFixed(0).padStart(5)} s  ${line}\n`);
  };
  const results = await measure(
    options,
    say,
    `npm run bench${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`,
  );
  const report = reportOf(results);
  process.stdout.write(`\n${report}\n\n`);
  const file = write(results, report, options);
  say(`${file}.md and .json`);
  return findingsOf(results).length === 0 && verdicts(results).every(({ reached }) => reached) ? 0 : 1;
}

async function measure(options: Options, say: Say, command: string): Promise<Results> {
  const { parts } = options;
  const on = machine();
  const session = async <T>(work: (session: Session) => Promise<T>): Promise<T> => {
    say('starting a system');
    const starting = Session.start(options);
    // Also in the middle of its start: nothing of it stays behind.
    const stop = (): void => void starting.then((begun) => begun.stop()).finally(() => process.exit(130));
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      const begun = await starting;
      try {
        return await work(begun);
      } finally {
        await begun.stop();
      }
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    }
  };
  // Each part begins with a system of its own, so that none measures what another left behind.
  return {
    at: new Date().toISOString(),
    machine: on,
    command,
    fsync: options.fsync,
    secondsPerRound: options.seconds,
    rounds: options.rounds,
    ...(parts.includes('speed') && { speed: await session((begun) => warmThenMeasure(begun, say)) }),
    ...(parts.includes('kill') && { kills: await session((begun) => measureKills(begun, say)) }),
    ...(parts.includes('full-tables') && {
      fullTables: await session((begun) => measureFullTables(begun, say)),
    }),
    ...(parts.includes('tracing') && { tracing: await session((begun) => measureTracing(begun, say)) }),
  };
}

async function warmThenMeasure(session: Session, say: Say): Promise<NonNullable<Results['speed']>> {
  say('warming up');
  for (const subject of ['bare', 'faultline'] as const)
    await session.warmUp(subject, { kind: 'closed', size: 16, seconds: session.options.quick ? 4 : 10 });
  const speed = await measureSpeed(session, say);
  if (session.options.profile !== undefined) {
    for (const { database, calls, milliseconds, query } of await session.counters.busiest(30))
      say(`${database} ${calls} calls, ${milliseconds} ms: ${query}`);
  }
  return speed;
}

/** Quick or disturbed runs say so in their names, and are not kept in the repository. */
function write(results: Results, report: string, options: Options): string {
  const marks = [
    ...(options.quick || options.parts.length < 4 ? ['partial'] : []),
    ...((foreignShareOf(results) ?? 0) > quietBelow ? ['noisy'] : []),
  ];
  const name = [results.at.slice(0, 16).replaceAll(':', ''), kindOf(results.machine), ...marks].join('_');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(`${file}.md`, `${report}\n`);
  writeFileSync(`${file}.json`, `${JSON.stringify({ ...results, verdicts: verdicts(results) }, null, 2)}\n`);
  return file;
}
