import { aborted } from './aborted.js';
import { demand, type Next, type Policy, type Running, type Surroundings, type Way } from './policy.js';
import { PipelineRefused } from './refused.js';

export interface BulkheadView {
  readonly name: string;
  readonly limit: number;
  readonly active: number;
  readonly queued: number;
  /** Since the start. */
  readonly refused: number;
}

export type Bulkhead = Policy<'bulkhead', Slots>;

/**
 * At most `limit` calls at a time, `queue` more may wait for a slot; the next one is refused (BULKHEAD_FULL). A slot is
 * kept through the pauses between attempts, and until the work has really ended: also when its caller has gone.
 * Waiting counts against the deadline. (Nygard, "Release It!": Bulkheads.)
 */
export function bulkhead({
  limit,
  queue = 0,
}: {
  readonly limit: number;
  readonly queue?: number;
}): Bulkhead {
  demand(
    Number.isInteger(limit) && limit > 0,
    `bulkhead: limit is ${limit}; it must be a whole number above 0`,
  );
  demand(Number.isInteger(queue) && queue >= 0, `bulkhead: queue is ${queue}; it must be a whole number`);
  return { kind: 'bulkhead', begin: (surroundings) => new Slots(limit, queue, surroundings) };
}

export class Slots implements Running {
  #active = 0;
  #refused = 0;
  readonly #queue = new Set<() => void>();

  constructor(
    private readonly limit: number,
    private readonly longestQueue: number,
    private readonly s: Surroundings,
  ) {}

  get view(): BulkheadView {
    return {
      name: this.s.name,
      limit: this.limit,
      active: this.#active,
      queued: this.#queue.size,
      refused: this.#refused,
    };
  }

  async around<T>(way: Way, next: Next<T>): Promise<T> {
    await this.#enter(way.signal);
    const held: Promise<unknown>[] = [];
    try {
      return await next({ ...way, holds: (work) => void held.push(work) });
    } finally {
      // Whoever called goes on; the slot stays until nothing of the call runs any more.
      void Promise.allSettled(held).then(() => this.#leave());
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#active < this.limit) {
      this.#active += 1;
      return;
    }
    if (this.#queue.size >= this.longestQueue) {
      this.#refused += 1;
      this.s.emit({ type: 'refused', name: this.s.name, at: this.s.clock.now(), reason: 'BULKHEAD_FULL' });
      throw new PipelineRefused(this.s.name, 'BULKHEAD_FULL');
    }
    const { promise: admitted, resolve: admit } = Promise.withResolvers<void>();
    this.#queue.add(admit);
    // Admitted and aborted in one and the same moment: the slot is given on.
    await Promise.race([admitted, aborted(signal)]).catch((error: unknown) => {
      if (!this.#queue.delete(admit)) this.#leave();
      throw error;
    });
  }

  #leave(): void {
    const [first] = this.#queue;
    if (!first) {
      this.#active -= 1;
      return;
    }
    // The slot changes hands: nobody who comes in between can take it.
    this.#queue.delete(first);
    first();
  }
}
