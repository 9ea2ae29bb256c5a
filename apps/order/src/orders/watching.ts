import type { Order } from './order.js';

type Listener = (order: Order) => void;

/** Milliseconds between two polls. */
export interface Rhythm {
  readonly shortest: number;
  readonly longest: number;
}

/**
 * Whoever waits for orders to move: `Prefer: wait` and the streams. Woken by a hint in the process that decided, or,
 * when another replica did, by one poll that all waiting share: often while it ends anybody's wait, seldom while hints
 * do. Nothing is polled while nobody waits.
 */
export class OrderWatch {
  readonly #listeners = new Map<string, Set<Listener>>();
  #timer: NodeJS.Timeout | null = null;
  #interval: number;

  constructor(
    private readonly load: (orderIds: readonly string[]) => Promise<readonly Order[]>,
    private readonly rhythm: Rhythm = { shortest: 20, longest: 250 },
  ) {
    this.#interval = rhythm.longest;
  }

  /** Tells the listeners in this process what a committed step has changed. */
  announce(orders: readonly Order[]): void {
    for (const order of orders)
      for (const listener of this.#listeners.get(order.orderId) ?? []) listener(order);
  }

  /** Calls back at each change until the returned function is called. */
  watch(orderId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(orderId) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(orderId, listeners);
    this.#schedule();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(orderId);
      if (this.#listeners.size === 0 && this.#timer) {
        clearTimeout(this.#timer);
        this.#timer = null;
      }
    };
  }

  /** The first state of the order that satisfies `until`; null when `milliseconds` have passed or the signal says so. */
  waitFor(
    orderId: string,
    until: (order: Order) => boolean,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<Order | null> {
    return new Promise((resolve) => {
      const finish = (order: Order | null): void => {
        clearTimeout(timer);
        stop();
        signal?.removeEventListener('abort', giveUp);
        resolve(order);
      };
      const giveUp = (): void => {
        finish(null);
      };
      const timer = setTimeout(giveUp, milliseconds);
      const stop = this.watch(orderId, (order) => {
        if (until(order)) finish(order);
      });
      if (signal?.aborted) giveUp();
      else signal?.addEventListener('abort', giveUp);
    });
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.load([...this.#listeners.keys()])
        // A poll that fails is made up for by the next one.
        .then(
          (orders) => {
            const waited = this.#listeners.size;
            this.announce(orders);
            const { shortest, longest } = this.rhythm;
            this.#interval = this.#listeners.size < waited ? shortest : Math.min(this.#interval * 2, longest);
          },
          () => undefined,
        )
        .finally(() => {
          this.#timer = null;
          if (this.#listeners.size > 0) this.#schedule();
        });
    }, this.#interval);
    // Who still waits when the process ends is answered by the stop, and not by the next poll.
    this.#timer.unref();
  }
}
