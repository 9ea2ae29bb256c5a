import { DatabaseUnavailable, OutcomeUnknown, type Database } from '@faultline/database';
import { claim, postpone } from './claim.js';
import type { Claimed } from './due-work.js';

export interface Log {
  warn(fields: object, message: string): void;
}

export interface DueWorkerOptions {
  readonly database: Database;
  readonly kind: string;
  /** Shown in the rows it holds. */
  readonly owner: string;
  /**
   * Does everything in a transaction of its own that asks which rows it still holds (heldPart), and
   * finishes or schedules those anew. What it throws leaves the rows to be taken again, later with every attempt.
   */
  run(claimed: readonly Claimed[]): Promise<void>;
  /** Milliseconds until work whose process died is taken again. */
  readonly leaseMs?: number;
  /** Rows per run at most. */
  readonly batch?: number;
  readonly log?: Log;
}

// The longest a worker sleeps: what another process scheduled, or left behind when it died, is seen this late at most.
const longestWait = 1000;
const longestBackoff = 60_000;

/** Claims what is due, runs it, and leaves its finishing to the run (claim / run / finish). */
export class DueWorker {
  readonly #o: DueWorkerOptions;
  readonly #leaseMs: number;
  readonly #batch: number;
  #loop: Promise<void> | undefined;
  #stopping = false;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(options: DueWorkerOptions) {
    this.#o = options;
    this.#leaseMs = options.leaseMs ?? 5000;
    this.#batch = options.batch ?? 100;
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Looks at once whether something is due: call it after a commit that has scheduled work for now. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Resolves when the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#loop;
  }

  async #work(): Promise<void> {
    let failures = 0;
    while (!this.#stopping) {
      try {
        this.#woken = false;
        const { kind, owner, database } = this.#o;
        const { claimed, now, next } = await claim(database, kind, owner, this.#leaseMs, this.#batch);
        if (claimed.length > 0) await this.#run(claimed);
        failures = 0;
        if (claimed.length === this.#batch) continue;
        await this.#sleep(next === null ? longestWait : Math.max(1, next - now));
      } catch (error) {
        failures += 1;
        this.#o.log?.warn({ err: error, kind: this.#o.kind }, 'due work could not be claimed');
        await this.#sleep(backoff(failures, longestWait));
      }
    }
  }

  async #run(claimed: readonly Claimed[]): Promise<void> {
    const { kind, log } = this.#o;
    try {
      await this.#o.run(claimed);
    } catch (error) {
      if (claimed.length > 1 && !isAway(error)) {
        await this.#oneByOne(claimed);
        return;
      }
      const attempt = Math.max(...claimed.map((work) => work.attempt));
      const wait = backoff(attempt, longestBackoff);
      log?.warn(
        { err: error, kind, keys: claimed.slice(0, 10).map((work) => work.key), attempt, wait },
        'due work failed',
      );
      await postpone(this.#o.database, claimed, wait);
    }
  }

  // One row's fault must not keep its neighbours waiting: alone, each proves its own.
  async #oneByOne(claimed: readonly Claimed[]): Promise<void> {
    for (const work of claimed) await this.#run([work]);
  }

  async #sleep(milliseconds: number): Promise<void> {
    // Woken while it was at work: what was scheduled then may have been committed after its look.
    if (this.#stopping || this.#woken) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, longestWait));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

function isAway(error: unknown): boolean {
  return error instanceof DatabaseUnavailable || error instanceof OutcomeUnknown;
}

/** Capped exponential backoff from 200 ms, with the upper half left to chance so that replicas do not march in step. */
function backoff(attempt: number, longest: number): number {
  const full = Math.min(longest, 200 * 2 ** Math.min(attempt - 1, 20));
  return Math.ceil(full / 2 + (Math.random() * full) / 2);
}
