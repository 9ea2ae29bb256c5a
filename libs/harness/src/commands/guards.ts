import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { demonstrateIn, guards, openWorld, type Guard } from '../guards/index.js';
import { judged, markdown, writeTable, type Shown } from '../guards/table.js';

const help = `Takes guards out one by one and shows which invariant breaks.

  npm run guards [-- options]

Starts a system of its own, beside any other. Each guard's schedule runs twice: with the guard, where the
audit must find nothing, and without it, where one of the guard's invariants must break. Exit code 0 when
that is so for every guard.

  --only a,b   only these guards
  --list       what there is, and no run
  --write      put the table into docs/guards.md
  --help       this text
`;

/** Answers 0 when every guard was shown, 1 when one was not. Throws Problem for options that cannot be. */
export async function run(args: string[]): Promise<number> {
  const options = parse(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = choose(options.only);
  if (options.list) {
    for (const guard of chosen)
      process.stdout.write(
        `${guard.name.padEnd(28)}${guard.invariants.join(' ').padEnd(5)}${guard.protections.map(({ what }) => what).join(' and ')}\n`,
      );
    return 0;
  }
  const shown = await demonstrateAll(chosen);
  process.stdout.write(`\n${markdown(shown)}\n`);
  if (options.write) {
    if (options.only !== undefined) throw new Problem('--write wants the whole table: leave --only out.');
    process.stdout.write(`${await writeTable(shown)} is written.\n`);
  }
  return shown.every(({ verdict }) => verdict === 'shown') ? 0 : 1;
}

async function demonstrateAll(chosen: readonly Guard[]): Promise<Shown[]> {
  const begun = performance.now();
  const say = (line: string): void => {
    process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  say('starting Postgres, Kafka and the services');
  const world = await openWorld();
  const shown: Shown[] = [];
  try {
    for (const [index, guard] of chosen.entries()) {
      const title = `${index + 1}/${chosen.length} ${guard.name}`;
      say(`${title}: ${guard.schedule}`);
      const one = await demonstrateIn(world, guard, (line) => say(`${title}: ${line}`)).then(
        (demonstration) => judged(guard, demonstration),
        (error: unknown): Shown => ({
          guard,
          verdict: 'failed',
          because: error instanceof Error ? error.message : String(error),
        }),
      );
      shown.push(one);
      say(`${title}: ${one.verdict === 'shown' ? `red: ${one.row}` : `NOT SHOWN: ${one.because}`}`);
    }
  } finally {
    await world.close();
  }
  return shown;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
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
