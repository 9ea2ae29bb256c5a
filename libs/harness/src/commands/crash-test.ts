import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { crashTest } from '../crash-test/crash-test.js';
import { ProgressLine } from '../crash-test/progress-line.js';
import { guardNamed, withoutGuard } from '../crash-test/without.js';
import type { Guard } from '../guards/index.js';
import { holds, reportOf, seconds1, verdictLines, writeReport } from '../crash-test/report.js';
import { untilEnded } from './ended.js';

const help = `Kills services at random moments while orders are placed, and judges what is left by every invariant.

  npm run crash-test [-- options]

Starts a system of its own, beside any other. The seed gives the plan: which process, when, by which signal; two at
once now and then, and some again in the middle of their recovery. Exit code 0 when every invariant holds. The report
is written to .faultline/reports/, as Markdown and as JSON.

  --kills N          how many times a process is ended (50); 500 take about ten minutes
  --seed S           the plan (another one each time, printed)
  --rate R           orders per second on average (20)
  --replicas N       processes of each service, 1 to 3 (1)
  --cards N          how many of a hundred orders are paid by card (0); the card gateway is killed, too, then
  --also a,b         kills postgres and kafka now and then, too
  --without GUARD    takes a guard out and runs the schedule that needs it, instead of random kills; exit code 1 when
                     the invariant breaks that it holds, 2 when that could not be shown. npm run guards -- --list
                     names them
  --keep             keeps the system's data and logs, as is done when an invariant breaks
  --verbose          a line for every strike
  --help             this text
`;

interface Options {
  readonly kills: number;
  readonly seed: number;
  readonly rate: number;
  readonly replicas: number;
  readonly cards: number;
  readonly infrastructure: readonly ('postgres' | 'kafka')[];
  readonly keep: boolean;
  readonly verbose: boolean;
}

/** Answers 0 when every invariant holds, 1 when one is broken, 2 when a guard was not shown, 130 when it was ended early. Throws Problem for options that cannot be. */
export async function run(args: string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }
  if ('without' in options)
    return untilEnded((ended) =>
      withoutGuard(options.without, ended, (what) => void process.stdout.write(`${what}\n`)),
    );
  return killAndJudge(options);
}

async function killAndJudge(options: Options): Promise<number> {
  const { seed, kills, rate, replicas } = options;
  const line = new ProgressLine(kills);
  const command = commandOf(options);
  line.write(`seed ${seed}: ${command}`);

  const startedAt = new Date();
  const ending = new AbortController();
  const end = (): void => {
    if (!ending.signal.aborted) line.write('ending: the system is stopped, and what is known is printed');
    ending.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  const result = await crashTest({
    ...options,
    signal: ending.signal,
    progress: (state) => line.show(state),
    ...(options.verbose ? { say: (what: string) => line.write(`        ${what}`) } : {}),
  }).finally(() => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  });

  const report = reportOf({ startedAt, command, seed, rate, replicas }, result);
  const { figures, verdicts } = report;
  line.write('');
  line.write(
    `${figures.kills} kills, ${figures.freezes} freezes; ${figures.ordersAccepted} of ${figures.ordersPlaced} orders accepted, ${figures.repeated} only after repeating the key`,
  );
  for (const [outcome, count] of Object.entries(figures.outcomes))
    line.write(`${String(count).padStart(8)}  ${outcome}`);
  line.write(
    `ready again after p50 ${seconds1(figures.ready.p50)}, longest ${seconds1(figures.ready.longest)}; orders in flight decided after p50 ${seconds1(figures.inFlightDecided.p50)}, longest ${seconds1(figures.inFlightDecided.longest)}`,
  );
  line.write('');
  for (const each of verdictLines(verdicts)) line.write(each);
  line.write('');
  line.write(`report: ${writeReport(report)}`);
  if (result.kept) line.write(`data and logs: ${result.kept}`);
  if (verdicts === null) return 130;
  return holds(report) ? 0 : 1;
}

function optionsFrom(args: string[]): Options | { readonly without: Guard } | 'help' {
  const { values } = parsed(args);
  if (values.help) return 'help';
  if (values.without !== undefined) return { without: guardNamed(values.without) };
  const also = values.also?.split(',').filter((name) => name !== '') ?? [];
  const infrastructure = also.map((name): 'postgres' | 'kafka' => {
    if (name !== 'postgres' && name !== 'kafka')
      throw new Problem(`--also is ${values.also}; it can be postgres, kafka, or both with a comma between.`);
    return name;
  });
  return {
    kills: whole('--kills', values.kills ?? '50', 1, 100_000),
    seed: whole('--seed', values.seed ?? String(Date.now() % 1_000_000), 0, 2 ** 32 - 1),
    rate: whole('--rate', values.rate ?? '20', 1, 1000),
    replicas: whole('--replicas', values.replicas ?? '1', 1, 3),
    cards: whole('--cards', values.cards ?? '0', 0, 100),
    infrastructure,
    keep: values.keep ?? false,
    verbose: values.verbose ?? false,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        kills: { type: 'string' },
        seed: { type: 'string' },
        rate: { type: 'string' },
        replicas: { type: 'string' },
        cards: { type: 'string' },
        also: { type: 'string' },
        without: { type: 'string' },
        keep: { type: 'boolean' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem(`${why}\n\n${help}`);
  }
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new Problem(`${option} is ${text}; it must be a whole number from ${least} to ${most}.`);
  return value;
}

/** What to type to have the same plan again. */
function commandOf({ kills, seed, rate, replicas, cards, infrastructure }: Options): string {
  const options = [
    `--kills ${kills}`,
    `--seed ${seed}`,
    ...(rate === 20 ? [] : [`--rate ${rate}`]),
    ...(replicas === 1 ? [] : [`--replicas ${replicas}`]),
    ...(cards === 0 ? [] : [`--cards ${cards}`]),
    ...(infrastructure.length === 0 ? [] : [`--also ${infrastructure.join(',')}`]),
  ];
  return `npm run crash-test -- ${options.join(' ')}`;
}
