export interface Progress {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to be handled. */
  readonly position: number;
  readonly lag: number;
}

const longestPatience = 300_000;

/**
 * Finds the consumer that is joined, has records to read and receives nothing: kafkajs can end so after a crash, and
 * then stays so. Partition by partition: one of them can be stuck while the others flow.
 */
export class Stall {
  readonly #since = new Map<string, { readonly position: number; readonly at: number }>();
  #patience: number;

  constructor(private readonly patience: number) {
    this.#patience = patience;
  }

  /**
   * The partitions that lag and have not moved for too long; empty when all is well. `now` in milliseconds of a
   * monotonic clock; `busy` while a batch is being handled, however slowly.
   */
  observe(now: number, partitions: readonly Progress[], busy: boolean): readonly Progress[] {
    const stuck = partitions.filter((each) => {
      const key = `${each.topic}/${each.partition}`;
      const seen = this.#since.get(key);
      if (seen && seen.position < each.position) this.#patience = this.patience;
      if (!seen || busy || each.lag === 0 || seen.position !== each.position) {
        this.#since.set(key, { position: each.position, at: now });
        return false;
      }
      return now - seen.at >= this.#patience;
    });
    if (stuck.length > 0) {
      // Whoever is not helped by a new start (a log end without records, say) must not be started anew for ever.
      this.#patience = Math.min(this.#patience * 2, longestPatience);
      this.#since.clear();
    }
    return stuck;
  }
}
