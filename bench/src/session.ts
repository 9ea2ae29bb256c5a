import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Client, startSystem, type HarnessSystem, type ServiceName } from '@faultline/harness';
import { auditBare, auditFaultline, quiet } from './audit.js';
import { Bare } from './bare.js';
import { Counters } from './counters.js';
import { placeOrder } from './faultline.js';
import { runLoop, type Ended, type Loop, type Measured } from './loops.js';
import type { Options } from './options.js';
import { customers, ordersFrom, skus, type Ordered } from './orders.js';
import { cpuSeconds, machineSeconds, memoryMegabytes, type Pids } from './processes.js';

export type Subject = 'bare' | 'faultline';

/** One load on one of the two cases, with everything that it cost. */
export interface Round {
  readonly subject: Subject;
  readonly loop: Loop;
  readonly measured: Measured;
  /** CPU seconds of each group of processes, until everything that was ordered had settled. */
  readonly cpu: Readonly<Record<string, number>>;
  /** CPU seconds of what is no part of the bench: other programs, and what the host took away. */
  readonly foreignCpu: number;
  readonly elapsed: number;
  readonly statements: number;
  readonly transactionControl: number;
  readonly walBytes: number;
  readonly messages: Readonly<Record<string, number>>;
  readonly memory: Readonly<Record<string, number>>;
  /** What the audit found. */
  readonly findings: readonly string[];
}

const plenty = 1_000_000_000;

/** A system and the bare case beside it on the same server, from first warm-up to the end. */
export class Session {
  /** How many orders the services have answered. */
  #orders = 0;
  #stopped = false;

  private constructor(
    readonly system: HarnessSystem,
    readonly bare: Bare,
    readonly counters: Counters,
    readonly options: Options,
    /** What the services are told at their next start. */
    readonly env: Record<string, string>,
  ) {}

  static async start(options: Options): Promise<Session> {
    // Bare has no traces either; what they cost is a part of its own.
    const env: Record<string, string> = {
      OTEL_TRACES_SAMPLER: 'always_off',
      ...(options.profile === undefined ? {} : profiled(options.profile)),
    };
    const system = await startSystem('bench', { env, durable: options.fsync });
    try {
      const counters = await Counters.start(system);
      await system.whenReady();
      const client = new Client(system.urls);
      for (const sku of skus) await client.deliver(sku, plenty);
      for (const customer of customers) await client.deposit(customer, plenty);
      return new Session(system, await Bare.start(system.postgresUrl), counters, options, env);
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  /** Who is who at this moment: a service that was restarted has another pid. */
  pids(subject: Subject): Pids {
    const pid = (name: ServiceName | 'postgres' | 'kafka'): number | undefined =>
      this.system.process(name).pid;
    const shared = { postgres: pid('postgres'), load: process.pid };
    return subject === 'bare'
      ? { ...shared, bare: this.bare.pid }
      : {
          order: pid('order'),
          inventory: pid('inventory'),
          payment: pid('payment'),
          kafka: pid('kafka'),
          ...shared,
        };
  }

  /** Places one order at the services, and counts it. */
  async place(ordered: Ordered, by: typeof placeOrder = placeOrder): Promise<Ended> {
    const ended = await by(this.system.urls, ordered);
    this.#orders += 1;
    return ended;
  }

  /** Orders that came into the tables by another way. */
  add(orders: number): void {
    this.#orders += orders;
  }

  /** Looks over the tables; `by` is told how many orders there must be. */
  audit(by: (system: HarnessSystem, orders: number) => Promise<string[]>): Promise<string[]> {
    return by(this.system, this.#orders);
  }

  /** Runs a load and throws its figures away: code is compiled, plans are made, files are in memory. */
  async warmUp(subject: Subject, loop: Omit<Loop, 'seed'>): Promise<void> {
    await this.#run(subject, { ...loop, seed: 7 });
  }

  async measure(subject: Subject, loop: Loop): Promise<Round> {
    const before = await this.#look(subject);
    const measured = await this.#run(subject, loop);
    if (subject === 'faultline') await quiet(this.system);
    const after = await this.#look(subject);
    const cpu = difference(after.cpu, before.cpu);
    const machine = after.machine.busy - before.machine.busy + after.machine.stolen - before.machine.stolen;
    const accounted = difference(after.everybody, before.everybody);
    return {
      subject,
      loop,
      measured,
      cpu,
      foreignCpu: Math.max(0, machine - sum(accounted)),
      elapsed: (after.at - before.at) / 1000,
      statements: after.counts.statements[subject] - before.counts.statements[subject],
      transactionControl:
        after.counts.transactionControl[subject] - before.counts.transactionControl[subject],
      walBytes: after.counts.wal - before.counts.wal,
      messages: difference(after.counts.messages, before.counts.messages),
      memory: memoryMegabytes(this.pids(subject)),
      findings: [
        ...measured.failures.slice(0, 5),
        ...(subject === 'bare'
          ? await auditBare(this.system.postgresUrl)
          : await auditFaultline(this.system, this.#orders)),
      ],
    };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.counters.stop().catch(() => undefined);
    await this.bare.stop();
    await this.system.stop();
  }

  async #run(subject: Subject, loop: Loop): Promise<Measured> {
    if (subject === 'bare') return this.bare.run(loop);
    const next = ordersFrom(loop.seed);
    return runLoop(loop, () => this.place(next()));
  }

  async #look(subject: Subject) {
    const counts = await this.counters.read();
    return {
      counts,
      cpu: cpuSeconds(this.pids(subject)),
      everybody: cpuSeconds({ ...this.pids('bare'), ...this.pids('faultline') }),
      machine: machineSeconds(),
      at: performance.now(),
    };
  }
}

function profiled(folder: string): Record<string, string> {
  const into = resolve(folder);
  mkdirSync(into, { recursive: true });
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${into}` };
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]));
}

function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((total, value) => total + value, 0);
}
