import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import {
  coveredIn,
  demonstrateIn,
  type Guard,
  guards,
  openWorld,
  takeOutOne,
  type World,
} from '../guards/index.js';
import { judged, markdown, markdownOfUnshown, type Shown, writeTables } from '../guards/table.js';
import { untilEnded } from './ended.js';

const help = `Takes guards out of the build and shows which invariant breaks.

  npm run guards [-- options]

Starts a system of its own, beside any other. Each guard's schedule runs twice: with the guard, where the
audit must find nothing, and without it, where one of the guard's invariants must break. Exit code 0 when
that is so for every guard. All of them take about ten minutes on two quiet cores.

  --only a,b   only these guards
  --singly     where several protections cover for each other, also takes out one at a time: nothing may break
  --list       what there is, and no run
  --write      puts the tables into docs/guards.md and README.md
  --help       this text
`;

type Say = (line: string) => void;

/** Answers 0 when every guard was shown, 1 when one was not, 130 when it was ended early. Throws Problem for options that cannot be. */
export async function run(args: string[]): Promise<number> {
  const options = parse(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = choose(options.only);
  if (options.list) {
    for (const { name, invariants, protections } of chosen)
      process.stdout.write(
        `${name.padEnd(28)}${invariants.join(' ').padEnd(5)}${protections.map(({ what }) => what).join(' and ')}\n`,
      );
    return 0;
  }
  if (options.write && options.only !== undefined)
    throw new Problem('--write wants the whole table: leave --only out.');

  const shown = await demonstrateAll(chosen, options.singly ?? false);
  if (shown === 'ended') return 130;
  process.stdout.write(`\n${markdown(shown)}\n`);
  if (options.only === undefined)
    process.stdout.write(`\nNo schedule turns these red:\n\n${markdownOfUnshown()}\n`);
  if (options.write) process.stdout.write(`\nWritten: ${(await writeTables(shown)).join(', ')}.\n`);
  return shown.every(({ verdict }) => verdict === 'shown') ? 0 : 1;
}

function demonstrateAll(chosen: readonly Guard[], singly: boolean): Promise<Shown[] | 'ended'> {
  const begun = performance.now();
  const say: Say = (line) => {
    process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  return untilEnded(async (ended) => {
    say('starting Postgres, Kafka and the services');
    const world = await openWorld();
    try {
      return await Promise.race([inTurn(world, chosen, singly, say), ended]);
    } finally {
      await world.close();
    }
  });
}

async function inTurn(world: World, chosen: readonly Guard[], singly: boolean, say: Say): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const [index, guard] of chosen.entries()) {
    const title = `${index + 1}/${chosen.length} ${guard.name}`;
    say(`${title}: ${guard.schedule}`);
    const one = await show(world, guard, singly, (line) => say(`${title}: ${line}`)).catch(
      (error: unknown): Shown => ({
        guard,
        verdict: 'failed',
        because: error instanceof Error ? error.message : String(error),
      }),
    );
    shown.push(one);
    say(`${title}: ${one.verdict === 'shown' ? `red: ${one.row}` : `NOT SHOWN: ${one.because}`}`);
  }
  return shown;
}

async function show(world: World, guard: Guard, singly: boolean, say: Say): Promise<Shown> {
  const result = judged(guard, await demonstrateIn(world, guard, say));
  if (!singly || result.verdict === 'failed') return result;
  for (const protection of coveredIn(guard)) {
    say(`without ${protection.what} alone`);
    const found = await takeOutOne(world, guard, protection);
    if (found.length > 0)
      return {
        guard,
        verdict: 'failed',
        because: `red without ${protection.what} alone: ${found.join('; ')}`,
      };
  }
  return result;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        singly: { type: 'boolean' },
        list: { type: 'boolean' },
        write: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new Problem(
      `${error instanceof Error ? error.message : String(error)}\nSee npm run guards -- --help.`,
    );
  }
}

/** Throws Problem for a name that no guard has. */
function choose(only: string | undefined): readonly Guard[] {
  if (only === undefined) return guards;
  const names = only.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !guards.some((guard) => guard.name === name));
  if (unknown.length > 0)
    throw new Problem(
      `There is no guard ${unknown.join(', ')}: ${guards.map(({ name }) => name).join(', ')}.`,
    );
  return guards.filter(({ name }) => names.includes(name));
}
