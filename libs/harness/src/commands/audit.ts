import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { auditOf } from '../audit/audit.js';
import { verdictLines } from '../crash-test/report.js';
import { foundSystem } from '../running/found.js';
import { untilEnded } from './ended.js';

const help = `Compares the books of the running system: what the three services and the card gateway say of themselves.

  npm run audit [-- options]

Waits until nothing is under way, at most so long, and prints a verdict on each invariant that can be seen from outside:
money, stock, the end of every order, and that orders, money and stock agree. Exit code 0 when all of them hold.

  --within N   seconds to wait for what is under way (150)
  --help       this text

It sees nothing that was never told or is gone: npm run crash-test has a system of its own, and sees that, too.
`;

/** Answers 0 when every invariant holds, 1 when one is broken, 130 when it was ended. Throws Problem for bad options. */
export async function run(args: string[]): Promise<number> {
  const values = parsed(args);
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const within = Number(values.within ?? 150) * 1000;
  if (!(within >= 0)) throw new Problem(`--within is ${values.within}; it must be a number of seconds.`);
  const { urls } = await foundSystem();
  const verdicts = await untilEnded((ended) =>
    Promise.race([
      auditOf({ urls }, within, (what) => void process.stdout.write(`waiting: ${what}\n`)),
      ended,
    ]),
  );
  if (verdicts === 'ended') return 130;
  for (const line of verdictLines(verdicts)) process.stdout.write(`${line}\n`);
  return verdicts.every(({ holds }) => holds) ? 0 : 1;
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { within: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  }
}
