import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';

/** What can be measured, in this order. */
export const PARTS = ['speed', 'kill', 'full-tables', 'tracing'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly help: boolean;
  readonly quick: boolean;
  readonly parts: readonly Part[];
  /** Measured seconds of each round of each load. */
  readonly seconds: number;
  /** How often each load is measured, bare and Faultline in turn. */
  readonly rounds: number;
  readonly clients: readonly number[];
  readonly rates: readonly number[];
  /** Ended orders that `full-tables` fills in. */
  readonly rows: number;
  readonly seed: number;
  /** Where each service leaves a CPU profile when it ends. */
  readonly profile: string | undefined;
  /** Whether Postgres waits for the disk at each commit, in both cases. */
  readonly fsync: boolean;
}

export const HELP = `npm run bench                            measures everything; about 25 minutes
npm run bench -- --quick                 the same in short: one round, fewer loads, 20,000 rows
npm run bench -- --only speed,kill       of ${PARTS.join(', ')}
npm run bench -- --seconds 10            measured seconds of each round of each load
npm run bench -- --rounds 3              rounds of each load, plain SQL and Faultline in turn
npm run bench -- --clients 1,16,64       closed loops: so many clients, each waits for its order's decision
npm run bench -- --rates 50,200,400      open loops: so many orders per second, whatever becomes of them
npm run bench -- --rows 1000000          ended orders that full-tables fills in
npm run bench -- --seed 1                of orders and arrivals
npm run bench -- --no-fsync              neither case waits for the disk at a commit
npm run bench -- --profile <folder>      each service leaves a CPU profile there
npm run bench -- --help                  this

Starts a system of its own on free ports. The tables go to the terminal and, with every figure, to bench/results/.`;

/** Throws a Problem for what it does not know. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const quick = values.quick ?? false;
  const parts = values.only === undefined ? PARTS : list(values.only).map(partNamed);
  return {
    help: values.help ?? false,
    quick,
    parts: PARTS.filter((part) => parts.includes(part)),
    seconds: positive('seconds', values.seconds) ?? (quick ? 4 : 10),
    rounds: positive('rounds', values.rounds) ?? (quick ? 1 : 3),
    clients: numbers('clients', values.clients) ?? (quick ? [16, 64] : [1, 16, 64]),
    rates: numbers('rates', values.rates) ?? (quick ? [50] : [50, 200, 400]),
    rows: positive('rows', values.rows) ?? (quick ? 20_000 : 1_000_000),
    seed: positive('seed', values.seed) ?? 1,
    profile: values.profile,
    fsync: !(values['no-fsync'] ?? false),
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { ...flag, short: 'h' },
        quick: flag,
        only: text,
        seconds: text,
        rounds: text,
        clients: text,
        rates: text,
        rows: text,
        seed: text,
        profile: text,
        'no-fsync': flag,
      },
    });
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message.split('. ')[0] : String(error)}.\n\n${HELP}`);
  }
}

const list = (text: string): string[] => text.split(',').map((each) => each.trim());

function partNamed(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (!part) throw new Problem(`There is no part ${name}: ${PARTS.join(', ')}.`);
  return part;
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Problem(`--${name} is ${text}; it must be a whole number from 1.`);
  return value;
}

function numbers(name: string, text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  return list(text).flatMap((each) => positive(name, each) ?? []);
}
