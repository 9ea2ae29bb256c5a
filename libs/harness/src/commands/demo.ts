import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { auditOf } from '../audit/audit.js';
import { Client } from '../client.js';
import { verdictLines } from '../crash-test/report.js';
import { send } from '../http.js';
import { endLoads, forAWhile, startLoad } from '../load.js';
import { Followed } from '../running/followed.js';
import { foundSystem } from '../running/found.js';
import { hearTransitions, type Transition } from '../running/transitions.js';
import { GATEWAY } from '../system.js';

const help = `Plays the opening demo on the running system, and checks what it shows.

  npm run demo [-- --write]

Ten orders a second by wallet and ten by card; then the card gateway answers every request with 503 for thirty seconds.
What a person would watch is printed as it happens, and judged at the end: the breaker opens within 3 s of the fault and
is closed again within 10 s of its end, orders by wallet notice nothing, no order is lost, and the books agree. Exit code 0
when all of that is so. It takes about a minute and a half.

  --write   also puts the text into docs/demo.md
  --help    this text
`;

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const rate = 10;
const before = 15_000;
const faultFor = 30_000;

/** Answers 0 when everything was as promised, 1 when something was not. */
export async function run(args: string[]): Promise<number> {
  const values = parsed(args);
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { urls } = await foundSystem();
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
    process.stdout.write(`${line}\n`);
  };
  const story = new Demo(urls, tokenOf(), say);
  const verdict = await story.run();
  if (values.write) writeFileSync(join(root, 'docs/demo.md'), pageOf(lines));
  return verdict ? 0 : 1;
}

class Demo {
  readonly #transitions: Transition[] = [];
  #fault = 0;

  constructor(
    private readonly urls: Awaited<ReturnType<typeof foundSystem>>['urls'],
    private readonly token: string,
    private readonly say: (line: string) => void,
  ) {}

  async run(): Promise<boolean> {
    const { urls, say } = this;
    say(`$ npm run load -- --rate ${rate * 2} --payment mixed`);
    const seed = Date.now() % 1_000_000;
    const byWallet = this.#load(seed, 0);
    const byCard = this.#load(seed + 1000, 100);
    const stream = await hearTransitions(urls.payment, (transition) => this.#heard(transition));
    try {
      await this.#watch(before, byWallet, byCard);
      this.#fault = Date.now();
      say('');
      say(`$ npm run fault -- ${GATEWAY} http-in error --rate 1 --for 30s`);
      await this.#inject();
      await this.#watch(faultFor, byWallet, byCard);
      say(`${this.#clock()}  the fault has ended`);
      await this.#watch(15_000, byWallet, byCard);
      say('');
      say('the load ends; what is open is waited for');
      endLoads();
      await Promise.all([byWallet.load.stop(), byCard.load.stop()]);
      for (let n = 0; n < 200 && open(byWallet) + open(byCard) > 0; n += 1) {
        await Promise.all([byWallet.followed.look(), byCard.followed.look()]);
        await forAWhile(300);
      }
      say('');
      say('$ npm run audit');
      const verdicts = await auditOf({ urls }, 60_000, () => undefined);
      for (const line of verdictLines(verdicts)) say(line);
      return this.#judge(
        byWallet,
        byCard,
        verdicts.every(({ holds }) => holds),
      );
    } finally {
      stream.stop();
      endLoads();
    }
  }

  #load(seed: number, cards: number) {
    const client = new Client(this.urls);
    const load = startLoad(client, { rate, seed, cards, cardTokens: ['card-ok'] });
    return { load, followed: new Followed(client, load) };
  }

  #heard(transition: Transition): void {
    if (transition.name !== GATEWAY) return;
    this.#transitions.push(transition);
    const { from, to, cause } = transition;
    // While it is open its probes fail again and again: the first of each kind is enough to read.
    const alike = this.#transitions.filter((each) => each.from === from && each.to === to).length;
    if (alike <= 2) this.say(`${this.#clock()}  breaker ${GATEWAY}: ${from} -> ${to} (${cause})`);
  }

  async #inject(): Promise<void> {
    const answer = await send(`${this.urls[GATEWAY]}/chaos/faults/demo`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${this.token}` },
      body: { at: 'http-in', kind: 'error', status: 503, rate: 1, ttlSeconds: faultFor / 1000 },
    });
    if (answer.status !== 200)
      throw new Problem(`The fault was refused: ${answer.status} ${answer.text}. Is chaos enabled there?`);
  }

  /** Lets time pass, and says every five seconds how the orders fare. */
  async #watch(milliseconds: number, byWallet: Followers, byCard: Followers): Promise<void> {
    const until = performance.now() + milliseconds;
    let said = performance.now();
    while (performance.now() < until) {
      await Promise.all([
        byWallet.followed.look(),
        byCard.followed.look(),
        forAWhile(Math.max(0, Math.min(500, until - performance.now()))),
      ]);
      if (performance.now() - said < 4900) continue;
      said = performance.now();
      const [wallet, card] = [byWallet.followed.standing(), byCard.followed.standing()];
      this.say(
        `${this.#clock()}  wallet: ${wallet.approved} approved, ${wallet.open} open, p99 ${wallet.lately.p99} ms   card: ${card.approved} approved, ${card.open} open`,
      );
    }
  }

  #judge(byWallet: Followers, byCard: Followers, booksAgree: boolean): boolean {
    const after = (transition: Transition): number => Date.parse(transition.at) - this.#fault;
    const opened = this.#transitions.find(({ from, to }) => from === 'CLOSED' && to === 'OPEN');
    const ended = this.#transitions.filter((each) => after(each) > faultFor);
    const halfOpen = ended.find(({ to }) => to === 'HALF_OPEN');
    const closed = ended.find(({ to }) => to === 'CLOSED');
    const [calm, shaken] = [
      byWallet.followed.spread(({ at }) => at > this.#fault - before + 5000 && at <= this.#fault),
      byWallet.followed.spread(({ at }) => at > this.#fault && at <= this.#fault + faultFor),
    ];
    const lost = open(byWallet) + open(byCard);
    const seconds = (milliseconds: number | undefined): string =>
      milliseconds === undefined ? 'never' : `${(milliseconds / 1000).toFixed(1)} s`;
    // A p99 of 150 orders is its second worst: below the length of one poll it says nothing.
    const limit = Math.max(1.5 * calm.p99, calm.p99 + 50);
    const checks: [boolean, string][] = [
      [
        opened !== undefined && after(opened) <= 3000,
        `the breaker opened ${seconds(opened && after(opened))} after the fault began (3 s at most)`,
      ],
      [
        halfOpen !== undefined && closed !== undefined && after(closed) <= faultFor + 10_000,
        `it was closed ${seconds(closed && after(closed) - faultFor)} after the fault had ended (10 s at most)`,
      ],
      [
        calm.count > 0 && shaken.count > 0 && shaken.p99 <= limit,
        `orders by wallet: p99 ${calm.p99} ms before, ${shaken.p99} ms meanwhile (1.5 times at most)`,
      ],
      [lost === 0, `no order is lost: ${lost} of ${placed(byWallet) + placed(byCard)} have not been decided`],
      [booksAgree, 'the books of all services, and the gateway’s, agree'],
    ];
    this.say('');
    for (const [holds, what] of checks) this.say(`${holds ? '✔' : '✘'} ${what}`);
    return checks.every(([holds]) => holds);
  }

  #clock(): string {
    if (this.#fault === 0) return '        ';
    const seconds = (Date.now() - this.#fault) / 1000;
    return `${seconds >= 0 ? '+' : '-'}${Math.abs(seconds).toFixed(1)} s`.padStart(8);
  }
}

interface Followers {
  readonly load: ReturnType<typeof startLoad>;
  readonly followed: Followed;
}

function open({ followed }: Followers): number {
  const { open: undecided, unanswered } = followed.standing();
  return undecided + unanswered;
}
const placed = ({ load }: Followers): number => load.arrivals.length;

function tokenOf(): string {
  const set = process.env['FAULTLINE_SERVICE_TOKEN'];
  if (set) return set;
  const file = join(process.env['FAULTLINE_FOLDER'] || join(root, '.faultline'), 'service-token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new Problem(
      `There is no token in ${file}: npm start makes it. FAULTLINE_FOLDER says where else it is.`,
    );
  }
}

function pageOf(lines: readonly string[]): string {
  return `# The opening demo

What \`npm run demo\` printed on ${new Date().toISOString().slice(0, 10)}; it injects the fault, watches, and judges what
it saw. \`npm run demo -- --write\` makes this page anew.

\`\`\`
${lines.join('\n')}
\`\`\`

What one sees: while the gateway answers 503 the breaker opens after a handful of calls, and nobody waits for a party
that cannot answer. Orders by card stay PENDING, with the reason in their timeline, because their authorization is
durable and due work repeats the call; their deadline is two minutes away. Orders by wallet do not notice: the calls to
the gateway are made outside of every transaction and every batch. Each probe that fails doubles the time until the next
one, up to five seconds; the first that succeeds closes the breaker, and what has waited is caught up.
`;
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { write: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  }
}
