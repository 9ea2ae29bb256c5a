import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invariants, type Verdict } from '../audit/verdict.js';
import type { Recovery } from '../kills/recovery.js';
import type { CrashTestResult } from './crash-test.js';
import { type Figures, figuresOf, type Spread } from './figures.js';

/** Everything that a report tells. */
export interface Report {
  readonly startedAt: string;
  /** The command that repeats the plan. */
  readonly command: string;
  readonly seed: number;
  readonly rate: number;
  readonly replicas: number;
  readonly seconds: CrashTestResult['seconds'];
  readonly figures: Figures;
  /** What became of the system after each strike. */
  readonly recoveries: readonly Recovery[];
  /** What did not come back in time. */
  readonly lost: readonly string[];
  readonly verdicts: readonly Verdict[] | null;
  readonly machine: { readonly node: string; readonly cpus: number };
}

export interface Run {
  readonly startedAt: Date;
  readonly command: string;
  readonly seed: number;
  readonly rate: number;
  readonly replicas: number;
}

export function reportOf(run: Run, result: CrashTestResult): Report {
  return {
    ...run,
    startedAt: run.startedAt.toISOString(),
    seconds: result.seconds,
    figures: figuresOf(result),
    recoveries: result.struck.recoveries,
    lost: result.struck.lost,
    verdicts: result.verdicts,
    machine: { node: process.version, cpus: availableParallelism() },
  };
}

/** Whether every invariant was judged and holds. */
export function holds({ verdicts }: Pick<Report, 'verdicts'>): boolean {
  return verdicts !== null && verdicts.length > 0 && verdicts.every((verdict) => verdict.holds);
}

const folder = fileURLToPath(new URL('../../../../.faultline/reports', import.meta.url));

/** Writes it as Markdown and as JSON; answers the Markdown's path. */
export function writeReport(report: Report): string {
  mkdirSync(folder, { recursive: true });
  const name = `crash-test-${report.startedAt.replaceAll(/[:.]/g, '-')}-seed-${report.seed}`;
  const path = join(folder, `${name}.md`);
  writeFileSync(path, markdownOf(report));
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  return path;
}

/** The verdict per invariant, one line each, with up to `rows` of the rows that break it. */
export function verdictLines(verdicts: readonly Verdict[] | null, rows = 5): string[] {
  if (verdicts === null) return ['no verdict: it was ended before everything had come to its end'];
  return verdicts.flatMap((verdict) => [
    `${verdict.holds ? 'holds ' : 'BROKEN'}  ${verdict.invariant}  ${invariants[verdict.invariant]} (${verdict.looked})`,
    ...verdict.rows.slice(0, rows).map((row) => `             ${row}`),
    ...(verdict.rows.length > rows ? [`             and ${verdict.rows.length - rows} more`] : []),
  ]);
}

export function markdownOf(report: Report): string {
  const { figures, seconds, verdicts, machine } = report;
  const { worst } = figures;
  return `# Crash test, seed ${report.seed}

${holds(report) ? 'Every invariant holds.' : verdicts === null ? 'Ended early: no verdict.' : '**At least one invariant is broken.**'}

\`${report.command}\`, ${report.startedAt}, Node ${machine.node}, ${machine.cpus} CPUs.
${figures.kills} kills and ${figures.freezes} freezes in ${seconds.killing.toFixed(0)} s, ${report.replicas} of each service, ${report.rate} orders per second on average (open loop); settled ${seconds.settling.toFixed(1)} s after the last strike, judged in ${seconds.judging.toFixed(1)} s.

## Verdict

| | invariant | verdict | looked at |
|---|---|---|---|
${(verdicts ?? []).map((verdict) => `| ${verdict.invariant} | ${invariants[verdict.invariant]} | ${verdict.holds ? 'holds' : '**broken**'} | ${verdict.looked} |`).join('\n')}
${brokenRows(verdicts ?? [])}
## Orders

${figures.ordersPlaced} placed, ${figures.ordersAccepted} accepted, ${figures.repeated} of them only after the key was repeated.

| outcome | orders |
|---|---|
${rowsOf(figures.outcomes)}

| milliseconds | count | p50 | p95 | p99 | longest |
|---|---|---|---|---|---|
${spreadRow('from the planned moment to the definite answer', figures.answered)}
${spreadRow('from the planned moment to the decision', figures.decided)}
${spreadRow('from a strike until the process was ready', figures.ready)}
${spreadRow('from a strike until all orders in flight were decided', figures.inFlightDecided)}

${worst ? `Worst recovery: strike ${worst.strike}, ${worst.signal} of ${worst.process}, ready after ${seconds1(worst.ready)}, its ${worst.inFlight} orders in flight decided after ${seconds1(worst.decided)}.` : ''}

## Strikes

| process, signal | times |
|---|---|
${rowsOf(figures.strikes)}
`;
}

function brokenRows(verdicts: readonly Verdict[]): string {
  return verdicts
    .filter((verdict) => !verdict.holds)
    .map(
      ({ invariant, rows }) =>
        `\n### ${invariant} is broken by\n\n${rows
          .slice(0, 100)
          .map((row) => `- ${row}`)
          .join(
            '\n',
          )}\n${rows.length > 100 ? `- and ${rows.length - 100} more, in the JSON beside this\n` : ''}`,
    )
    .join('');
}

function rowsOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `| ${name} | ${count} |`)
    .join('\n');
}

function spreadRow(what: string, { count, p50, p95, p99, longest }: Spread): string {
  return `| ${what} | ${count} | ${p50} | ${p95} | ${p99} | ${longest} |`;
}

/** "1.2 s"; what is not over yet has no length. */
export function seconds1(milliseconds: number | undefined): string {
  return milliseconds === undefined ? 'no end yet' : `${(milliseconds / 1000).toFixed(1)} s`;
}
