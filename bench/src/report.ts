import type { Figures } from './figures.js';
import { verdicts } from './goals.js';
import { findingsOf, foreignShareOf, type Results } from './results.js';
import { nameOf, type Compared } from './speed.js';

/** More than this share of a processor used by others, and the rates say more about them than about us. */
export const quietBelow = 0.1;

/** The results as Markdown that reads well in a terminal, too. */
export function reportOf(results: Results): string {
  const { machine, speed, kills, fullTables, tracing } = results;
  const foreign = foreignShareOf(results);
  const findings = findingsOf(results);
  return [
    `# Faultline beside plain SQL, ${results.at}`,
    `${machine.processors} x ${machine.model}, ${machine.memoryGigabytes} GB, Node ${machine.node}; ` +
      `${results.rounds} rounds of ${results.secondsPerRound} s per load, ${results.fsync ? 'with' : 'without'} fsync, nothing traced unless it says so. ` +
      (foreign === null
        ? 'What others used of the machine was not measured.'
        : foreign <= quietBelow
          ? `A quiet machine: others used ${foreign.toFixed(2)} of a processor.`
          : `NOT a quiet machine: others used ${foreign.toFixed(2)} processors. Trust ratios, CPU and counts, not rates.`),
    `Made by \`${results.command}\`. The work is not the same: \`bare\` is one process that sends the business SQL and ` +
      `forgets where it was when it dies; Faultline is three services and a broker, and every order survives a crash.`,
    goals(results),
    findings.length === 0
      ? 'Audit: the books of every round agree, and every order has ended.'
      : `AUDIT FAILED:\n${findings.map((finding) => `- ${finding}`).join('\n')}`,
    ...(speed
      ? ['## Speed', speedTable(speed), '## What an order costs', costTable(speed), memory(speed)]
      : []),
    ...(kills
      ? [
          '## kill -9 under 16 clients',
          table(
            ['service', 'in flight', 'ready after', 'all decided after'],
            kills.map((kill) => [
              kill.service,
              String(kill.inFlight),
              `${kill.ready.toFixed(0)} ms`,
              `${kill.decided.toFixed(0)} ms`,
            ]),
          ),
        ]
      : []),
    ...(fullTables
      ? [
          `## ${fullTables.rows} ended orders in the tables, 16 clients`,
          table(
            ['tables', 'bare/s', 'Faultline/s', 'ratio', 'CPU s per 1,000', 'p99 ms'],
            (['empty', 'full'] as const).map((which) => {
              const { bare, faultline, ratio } = fullTables[which];
              return [
                which,
                rate(bare),
                rate(faultline),
                ratio.toFixed(2),
                two(faultline.cpu),
                one(faultline.p99),
              ];
            }),
          ),
        ]
      : []),
    ...(tracing
      ? [
          '## What tracing costs, 16 clients, exported by OTLP',
          table(
            ['traced', 'orders/s', 'CPU s per 1,000', 'of it services', 'p99 ms'],
            tracing.map(({ setting, figures }) => [
              setting,
              rate(figures),
              two(figures.cpu),
              two(services(figures)),
              one(figures.p99),
            ]),
          ),
        ]
      : []),
  ].join('\n\n');
}

function goals(results: Results): string {
  return table(
    ['goal', 'wanted', 'found', ''],
    verdicts(results).map(({ goal, wanted, found, reached }) => [
      goal,
      wanted,
      found,
      reached ? 'reached' : 'MISSED',
    ]),
  );
}

function speedTable(speed: readonly Compared[]): string {
  return table(
    ['load', 'case', 'orders/s', 'x bare', 'p50 ms', 'p95 ms', 'p99 ms', 'declined'],
    speed.flatMap(({ bare, faultline, ratio }) =>
      [bare, faultline].map((figures) => [
        nameOf(figures),
        figures.subject,
        rate(figures),
        figures === bare ? '' : ratio.toFixed(2),
        one(figures.p50),
        one(figures.p95),
        one(figures.p99),
        `${((100 * figures.declined) / figures.orders).toFixed(1)} %`,
      ]),
    ),
  );
}

function costTable(speed: readonly Compared[]): string {
  return table(
    [
      'load',
      'case',
      'CPU s per 1,000',
      'order',
      'inventory',
      'payment',
      'broker',
      'Postgres',
      'bare',
      '(load)',
      'SQL',
      'BEGIN/COMMIT in it',
      'WAL bytes',
      'messages',
    ],
    speed.flatMap(({ bare, faultline }) =>
      [bare, faultline].map((figures) => [
        nameOf(figures),
        figures.subject,
        two(figures.cpu),
        ...['order', 'inventory', 'payment', 'kafka', 'postgres', 'bare', 'load'].map((group) =>
          figures.cpuBy[group] === undefined ? '' : two(figures.cpuBy[group]),
        ),
        two(figures.statements),
        two(figures.transactionControl),
        figures.walBytes.toFixed(0),
        figures.subject === 'bare' ? '' : two(figures.messages),
      ]),
    ),
  );
}

function memory(speed: readonly Compared[]): string {
  const held = speed.at(-1)?.faultline.memory ?? {};
  return `Memory at the end, megabytes: ${Object.entries(held)
    .filter(([group]) => group !== 'load')
    .map(([group, megabytes]) => `${group} ${megabytes}`)
    .join(', ')}.`;
}

const services = ({ cpuBy }: Figures): number =>
  ['order', 'inventory', 'payment'].reduce((sum, name) => sum + (cpuBy[name] ?? 0), 0);
const rate = (figures: Figures): string => figures.perSecond.toFixed(1);
const one = (value: number): string => value.toFixed(1);
const two = (value: number): string => value.toFixed(2);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
