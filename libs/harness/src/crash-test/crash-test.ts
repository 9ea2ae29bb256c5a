import { judge } from '../audit/audit.js';
import type { Verdict } from '../audit/verdict.js';
import { Client } from '../client.js';
import { planOf } from '../kills/plan.js';
import { OpenOrders, type Recovery } from '../kills/recovery.js';
import { Strikes, type Struck } from '../kills/strikes.js';
import { type Arrival, endLoads, forAWhile, type Load, startLoad } from '../load.js';
import { type Observation, observe } from '../observation.js';
import { worstOf } from './figures.js';
import { GATEWAY, type ProcessName, SERVICES, startSystem, type System } from '../system.js';

export interface CrashTestOptions {
  /** How many times a process is ended. */
  readonly kills: number;
  readonly seed: number;
  /** Orders per second. */
  readonly rate: number;
  /** Processes of each service. */
  readonly replicas: number;
  /** How many of a hundred orders are paid by card. With some the card gateway is killed, too. */
  readonly cards?: number;
  /** What is killed besides the services. */
  readonly infrastructure: readonly ('postgres' | 'kafka')[];
  /** Keeps the system's folder, with data and logs; it is also kept when an invariant is broken. */
  readonly keep?: boolean;
  /** Ends everything early; what is known by then is answered. */
  readonly signal: AbortSignal;
  /** Is told several times a second where things stand. */
  progress?(state: Progress): void;
  /** Is told of each strike. */
  say?(line: string): void;
}

export interface Progress {
  readonly phase: 'starting' | 'killing' | 'settling' | 'judging';
  readonly kills: number;
  /** Orders that were accepted. */
  readonly orders: number;
  /** Of those, the ones that have not ended. */
  readonly open: number;
  readonly worst: Recovery | undefined;
}

export interface CrashTestResult {
  readonly struck: Struck;
  readonly arrivals: readonly Arrival[];
  readonly accepted: Client['accepted'];
  /** Null when it was ended early: an order that is still under way breaks no promise yet. */
  readonly verdicts: readonly Verdict[] | null;
  /** Where the system's data and logs are kept; null when they were removed. */
  readonly kept: string | null;
  readonly seconds: { readonly killing: number; readonly settling: number; readonly judging: number };
}

const tellEvery = 250;
/** How long everything may take to end after the last strike. */
const settleWithin = 180_000;
/** How long it may take to read where the orders stand when it is ended early. */
const listWithin = 5000;

/** Strikes a system of its own by a seeded plan under load, lets it settle and judges it. Throws when it cannot start. */
export async function crashTest(options: CrashTestOptions): Promise<CrashTestResult> {
  options.progress?.({ phase: 'starting', kills: 0, orders: 0, open: 0, worst: undefined });
  let bringBack: (name: string) => Promise<void> = () => Promise.resolve();
  const system = await startSystem(`crash-test-${options.seed}`, {
    replicas: options.replicas,
    tell: ({ name, what, error }) => {
      // The supervisor waits longer after every death. Here each process shall be back at once, or it would be spared.
      if (what === 'restarted') void bringBack(name);
      if (what === 'not started') options.say?.(`${name} could not be started: ${error?.message}`);
    },
  });
  bringBack = (name) => system.process(name as ProcessName).start();
  let observation: Observation | undefined;
  let keep = options.keep ?? false;
  try {
    observation = await observe(system);
    const result = await new Run(system, observation, options).run();
    keep ||= result.verdicts?.some((verdict) => !verdict.holds) ?? false;
    return { ...result, kept: keep ? system.folder : null };
  } catch (error) {
    // A service that is never back, a key without an answer: the worst that can be found, and its logs say why.
    keep = true;
    options.say?.(`its data and logs are kept: ${system.folder}`);
    throw error;
  } finally {
    await observation?.stop();
    await system.stop({ keep });
  }
}

class Run {
  readonly #client: Client;
  readonly #orders: OpenOrders;
  readonly #strikes: Strikes;
  #phase: Progress['phase'] = 'killing';

  constructor(
    private readonly system: System,
    private readonly observation: Observation,
    private readonly o: CrashTestOptions,
  ) {
    this.#client = new Client(system.urls, (service) => system.replicaUrls(service));
    this.#orders = new OpenOrders(observation.databases);
    this.#strikes = new Strikes({
      system,
      orders: this.#orders,
      plan: planOf({
        seed: o.seed,
        kills: o.kills,
        services: [
          ...SERVICES.flatMap((service) => [...system.replicas(service)]),
          ...(o.cards ? [GATEWAY] : []),
        ],
        infrastructure: o.infrastructure,
      }),
      signal: o.signal,
      ...(o.say ? { say: o.say } : {}),
    });
  }

  async run(): Promise<Omit<CrashTestResult, 'kept'>> {
    const teller = setInterval(() => this.o.progress?.(this.#state()), tellEvery);
    const begun = performance.now();
    const load = startLoad(this.#client, {
      rate: this.o.rate,
      seed: this.o.seed,
      ...(this.o.cards ? { cards: this.o.cards } : {}),
    });
    try {
      await this.#strikes.run();
      const struck = performance.now();
      this.#phase = 'settling';
      await this.#settle(load);
      const settled = performance.now();
      this.#phase = 'judging';
      const verdicts = this.o.signal.aborted ? null : await this.#judge();
      return {
        struck: this.#strikes.struck,
        arrivals: load.arrivals,
        accepted: this.#client.accepted,
        verdicts,
        seconds: {
          killing: (struck - begun) / 1000,
          settling: (settled - struck) / 1000,
          judging: (performance.now() - settled) / 1000,
        },
      };
    } finally {
      endLoads();
      clearInterval(teller);
      await this.#orders.stop();
    }
  }

  async #settle(load: Load): Promise<void> {
    if (this.o.signal.aborted) {
      // What is known, at least: the client saw most orders last when it placed them.
      await Promise.race([this.#client.listed().catch(() => undefined), forAWhile(listWithin)]);
      return;
    }
    await load.stop();
    await this.#strikes.recovered(settleWithin);
    await this.system.whenReady({ within: settleWithin });
    await this.#client.resolve();
  }

  async #judge(): Promise<Verdict[]> {
    const { lost, outages } = this.#strikes.struck;
    const verdicts = await judge(this.system, this.#client, this.observation, {
      within: settleWithin,
      outages,
    });
    // A process that did not come back keeps no promise, whatever the books say.
    return verdicts.map((verdict) =>
      verdict.invariant === 'T' && lost.length > 0
        ? { ...verdict, holds: false, rows: [...lost, ...verdict.rows] }
        : verdict,
    );
  }

  #state(): Progress {
    const { kills, recoveries } = this.#strikes.struck;
    return {
      phase: this.#phase,
      kills,
      orders: this.#client.accepted.length,
      open: this.#orders.count,
      worst: worstOf(recoveries),
    };
  }
}
