import type { Databases } from '../databases.js';
import { forAWhile } from '../load.js';
import type { ProcessName } from '../system.js';

/** What became of a system after one strike. Milliseconds. */
export interface Recovery {
  readonly process: ProcessName;
  readonly signal: string;
  /** The number of the strike in its plan. */
  readonly strike: number;
  /** Epoch milliseconds: when it was struck, or, after a SIGSTOP, went on. */
  readonly at: number;
  /** Orders that were accepted and not decided at that moment. */
  readonly inFlight: number;
  /** Until the process was ready and its consumers in their groups again. */
  ready?: number;
  /** Until all of those orders were decided. */
  decided?: number;
}

/** The longest of both: the moment at which nothing was left of the strike. */
export function lengthOf({ ready = 0, decided = 0 }: Recovery): number {
  return Math.max(ready, decided);
}

const lookEvery = 100;

/**
 * Knows which orders are undecided and which have not ended, by looking into the orders' database ten times a second,
 * and says when those of a moment have all been decided.
 */
export class OpenOrders {
  readonly #waiting = new Set<{ readonly ids: ReadonlySet<string>; readonly done: () => void }>();
  #undecided: ReadonlySet<string> = new Set();
  #count = 0;
  #stopped = false;
  readonly #loop: Promise<void>;

  constructor(private readonly databases: Databases) {
    this.#loop = this.#look();
  }

  /** Orders that were accepted and have not ended, as of the last look. */
  get count(): number {
    return this.#count;
  }

  /** The orders that are undecided now, as of the last look. */
  get undecided(): ReadonlySet<string> {
    return this.#undecided;
  }

  /** Resolves when none of these orders is undecided any more. */
  decided(ids: ReadonlySet<string>): Promise<void> {
    return new Promise((done) => {
      if (ids.size === 0) done();
      else this.#waiting.add({ ids, done });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      try {
        // The predicate of the partial index `orders_open`: as cheap with a million ended orders beside them.
        const open = await this.databases.read<{ id: string; settlement: string }>(
          'order',
          `SELECT id, settlement FROM orders WHERE settlement NOT IN ('SETTLED', 'UNDONE')`,
        );
        this.#count = open.length;
        this.#undecided = new Set(open.flatMap(({ id, settlement }) => (settlement === 'NONE' ? [id] : [])));
        for (const waiting of this.#waiting) {
          if ([...waiting.ids].some((id) => this.#undecided.has(id))) continue;
          this.#waiting.delete(waiting);
          waiting.done();
        }
      } catch {
        // Postgres is away: what was undecided still is.
      }
      await forAWhile(lookEvery);
    }
  }
}
