import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { Client } from '../client.js';
import { endLoads, forAWhile, startLoad } from '../load.js';
import { Followed, type Standing } from '../running/followed.js';
import { foundSystem } from '../running/found.js';
import { untilEnded } from './ended.js';
import { LiveLine } from '../live-line.js';

const help = `Places orders on the running system, as customers who know nothing of each other, and prints how it goes.

  npm run load [-- options]

An open loop: it keeps its pace when answers are slow, and times from the planned moment to the decision. Every key is
repeated until its answer is definite. It delivers and deposits as it goes, so that neither shelves nor wallets run dry.
Ctrl-C ends it; the orders that are open then are waited for.

  --rate R        orders per second on average (20)
  --seconds N     ends by itself after so long
  --payment P     wallet (default), card, or mixed (one in three by card)
  --protocol P    saga
  --seed S        the same orders at the same distances (another one each time, printed)
  --help          this text

The line: placed, approved, rejected, open; p50 and p99 of the last ten seconds. In a pipe it is a line a second.
`;

/** Answers 0 when every order was decided, 1 when some were not. Throws Problem for options that cannot be. */
export async function run(args: string[]): Promise<number> {
  const options = optionsFrom(args);
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }
  const { urls } = await foundSystem();
  const { rate, seconds, seed, cards, protocol } = options;
  const line = new LiveLine();
  line.write(`${rate} orders per second at ${urls.order}, seed ${seed}; Ctrl-C ends it`);
  const client = new Client(urls);
  const load = startLoad(client, {
    rate,
    seed,
    cards,
    cardTokens: ['card-ok'],
    ...(protocol === undefined ? {} : { protocol }),
  });
  const followed = new Followed(client, load);
  return untilEnded(async (ended) => {
    const enough = new AbortController();
    void ended.then(() => enough.abort());
    const until = performance.now() + seconds * 1000;
    const begun = performance.now();
    const show = (): void => line.show(lineOf(followed.standing(), performance.now() - begun));
    while (!enough.signal.aborted && performance.now() < until) {
      await Promise.all([
        followed.look(),
        forAWhile(Math.max(0, Math.min(500, until - performance.now())), enough.signal),
      ]);
      show();
    }
    endLoads();
    const answered = load.stop();
    // What is open is decided within its deadline, when everything is up.
    const patience = performance.now() + 150_000;
    for (;;) {
      await followed.look();
      const { open, unanswered } = followed.standing();
      show();
      if ((open === 0 && unanswered === 0) || performance.now() > patience) break;
      await forAWhile(300);
    }
    await answered.catch(() => undefined);
    const { placed, open, unanswered } = followed.standing();
    line.write('');
    line.write(`${placed} placed in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    for (const [what, count] of outcomesOf(followed)) line.write(`${String(count).padStart(8)}  ${what}`);
    if (open + unanswered > 0) line.write(`${String(open + unanswered).padStart(8)}  not decided`);
    for (const method of ['wallet', 'card']) {
      const { count, p50, p99, longest } = followed.spread((each) => each.method === method);
      if (count > 0)
        line.write(`decided, by ${method.padEnd(6)}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
    }
    return open + unanswered === 0 ? 0 : 1;
  });
}

/** How it stands, in less than eighty characters. */
export function lineOf(
  { placed, approved, rejected, open, unanswered, lately }: Standing,
  elapsed: number,
): string {
  const waiting = unanswered > 0 ? `  unanswered ${unanswered}` : '';
  const times = lately.count > 0 ? `  p50 ${lately.p50}  p99 ${lately.p99} ms` : '';
  return `${(elapsed / 1000).toFixed(0).padStart(4)} s  placed ${placed}  approved ${approved}  rejected ${rejected}  open ${open}${waiting}${times}`;
}

function outcomesOf(followed: Followed): [string, number][] {
  const groups = Map.groupBy(followed.outcomes, ({ status, reason }) =>
    reason === null ? status : `${status} ${reason}`,
  );
  return [...groups].map(([what, all]): [string, number] => [what, all.length]).sort((a, b) => b[1] - a[1]);
}

interface Options {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly cards: number;
  readonly protocol: string | undefined;
}

const shares: Readonly<Record<string, number>> = { wallet: 0, card: 100, mixed: 33 };

function optionsFrom(args: string[]): Options | 'help' {
  const values = parsed(args);
  if (values.help) return 'help';
  const cards = shares[values.payment ?? 'wallet'];
  if (cards === undefined)
    throw new Problem(`--payment is ${values.payment}; it can be ${Object.keys(shares).join(', ')}.`);
  return {
    rate: number('--rate', values.rate ?? '20', 0.1, 5000),
    seconds: values.seconds === undefined ? Infinity : number('--seconds', values.seconds, 1, 86_400),
    seed: Math.floor(number('--seed', values.seed ?? String(Date.now() % 1_000_000), 0, 2 ** 32 - 2)),
    cards,
    protocol: values.protocol,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        rate: { type: 'string' },
        seconds: { type: 'string' },
        payment: { type: 'string' },
        protocol: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  }
}

function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < least || value > most)
    throw new Problem(`${option} is ${text}; it must be a number from ${least} to ${most}.`);
  return value;
}
