import type { Outage } from '../audit/termination.js';
import { forAWhile } from '../load.js';
import { type GatewayName, type ProcessName, type ReplicaName, SERVICES, type System } from '../system.js';
import { type Strike } from './plan.js';
import { type OpenOrders, type Recovery } from './recovery.js';

export interface StrikeOptions {
  readonly system: System;
  readonly orders: OpenOrders;
  readonly plan: readonly Strike[];
  readonly signal: AbortSignal;
  /** Milliseconds that a struck process may take to be ready again. */
  readonly patience?: number;
  say?(line: string): void;
}

/** What the strikes have done so far. */
export interface Struck {
  readonly recoveries: readonly Recovery[];
  /** How often a process was ended. */
  readonly kills: number;
  readonly freezes: number;
  /** When a struck process was not up, in epoch milliseconds. */
  readonly outages: readonly Outage[];
  /** What did not come back. */
  readonly lost: readonly string[];
}

/** A process that was struck and has not been seen ready since. */
interface Down {
  readonly recoveries: Recovery[];
  /** Resolves when the run that was struck last has ended. */
  exited: Promise<unknown>;
}

/**
 * Carries out a plan. Nothing is struck that is down already: a kill that hits nothing is none. A strike of its own waits
 * while more than a third of the processes recover, so that on a slow machine, too, most kills hit work and not a start.
 */
export class Strikes {
  readonly #recoveries: Recovery[] = [];
  readonly #outages: Outage[] = [];
  readonly #lost: string[] = [];
  readonly #recovering = new Set<Promise<void>>();
  readonly #frozen = new Set<ProcessName>();
  readonly #down = new Map<ProcessName, Down>();
  #kills = 0;
  #freezes = 0;

  constructor(private readonly o: StrikeOptions) {}

  get struck(): Struck {
    return {
      recoveries: this.#recoveries,
      kills: this.#kills,
      freezes: this.#freezes,
      outages: this.#outages,
      lost: this.#lost,
    };
  }

  /** Resolves when everything was struck, whatever recovers still; or when the signal said that it is enough. */
  async run(): Promise<void> {
    for (const [index, strike] of this.o.plan.entries()) {
      await forAWhile(strike.after, this.o.signal);
      while (!this.o.signal.aborted && this.#isMostlyDown()) await forAWhile(20);
      if (this.o.signal.aborted) return;
      await this.#carryOut(strike, index + 1);
    }
  }

  #isMostlyDown(): boolean {
    const processes = SERVICES.flatMap((service) => this.o.system.replicas(service)).length;
    return this.#down.size > processes / 3;
  }

  /** Resolves when every struck process is ready and everything that was in flight is decided, or time is up. */
  async recovered(within: number): Promise<void> {
    for (const name of this.#frozen) this.o.system.thaw(name);
    const patience = new AbortController();
    await Promise.race([
      (async () => {
        while (this.#recovering.size > 0) await Promise.all(this.#recovering);
      })(),
      forAWhile(within, patience.signal),
    ]);
    patience.abort();
  }

  async #carryOut({ targets, signal, frozenFor, againAfter }: Strike, number: number): Promise<void> {
    if (!(await this.#running(targets))) return;
    for (const name of targets) {
      if (signal === 'SIGSTOP') this.#freeze(name, frozenFor, number);
      else this.#end(name, signal, number);
    }
    const [first] = targets;
    if (againAfter === null || !first) return;
    this.o.say?.(`${first} again, ${againAfter} ms after it is back`);
    await this.o.system.process(first).exited;
    if (!(await this.#running([first]))) return;
    await forAWhile(againAfter, this.o.signal);
    if (await this.#running([first])) this.#end(first, 'SIGKILL', number);
  }

  /** Waits until all of them run; false when it is enough. */
  async #running(names: readonly ProcessName[]): Promise<boolean> {
    while (!names.every((name) => this.o.system.process(name).isRunning)) {
      if (this.o.signal.aborted) return false;
      await forAWhile(20);
    }
    return !this.o.signal.aborted;
  }

  #end(name: ProcessName, signal: NodeJS.Signals, number: number): void {
    const { exited } = this.o.system.process(name);
    if (!this.o.system.process(name).kill(signal)) return;
    this.#kills += 1;
    this.o.say?.(`${signal} ${name}`);
    this.#follow(name, signal, number, exited);
  }

  #freeze(name: ProcessName, milliseconds: number, number: number): void {
    this.#freezes += 1;
    this.#frozen.add(name);
    this.o.say?.(`SIGSTOP ${name} for ${milliseconds} ms`);
    this.o.system.freeze(name);
    const from = Date.now();
    const thawed = forAWhile(milliseconds, this.o.signal).then(() => {
      this.o.system.thaw(name);
      this.#frozen.delete(name);
      this.#outages.push({ from, to: Date.now() });
      this.#follow(name, 'SIGSTOP', number, Promise.resolve());
    });
    this.#track(thawed);
  }

  #follow(name: ProcessName, signal: string, strike: number, exited: Promise<unknown>): void {
    const ids = this.o.orders.undecided;
    const recovery: Recovery = { process: name, signal, strike, at: Date.now(), inFlight: ids.size };
    this.#recoveries.push(recovery);
    const down = this.#down.get(name) ?? { recoveries: [], exited };
    down.recoveries.push(recovery);
    down.exited = exited;
    if (!this.#down.has(name)) {
      this.#down.set(name, down);
      this.#track(this.#watch(name, down));
    }
    const decided = this.o.orders.decided(ids).then(() => {
      recovery.decided = Date.now() - recovery.at;
    });
    this.#track(decided);
  }

  /** Until it is ready, however often it is struck meanwhile: patience begins anew with every strike. */
  async #watch(name: ProcessName, down: Down): Promise<void> {
    for (;;) {
      const strikes = down.recoveries.length;
      await down.exited;
      const failure = await this.#ready(name).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : `${name} did not come back`),
      );
      if (down.recoveries.length > strikes && !this.o.signal.aborted) continue;
      this.#down.delete(name);
      const now = Date.now();
      for (const recovery of down.recoveries) {
        this.#outages.push({ from: recovery.at, to: now });
        if (failure === undefined) recovery.ready = now - recovery.at;
      }
      if (failure !== undefined && !this.o.signal.aborted) this.#lost.push(failure);
      return;
    }
  }

  async #ready(name: ProcessName): Promise<void> {
    const { system, patience = 120_000 } = this.o;
    if (name === 'postgres') await system.startPostgres();
    else if (name === 'kafka') await system.startKafka();
    else await system.whenReady({ names: [replica(name)], within: patience });
  }

  #track(work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => void this.#recovering.delete(tracked));
    this.#recovering.add(tracked);
  }
}

/** The one process of that name; `order` alone would mean all replicas of it. */
function replica(name: Exclude<ProcessName, 'postgres' | 'kafka'>): ReplicaName | GatewayName {
  return name === 'order' || name === 'inventory' || name === 'payment' ? `${name}-1` : name;
}
