import type { Client, Placement } from './client.js';
import { pick, randomFrom } from './random.js';

const skus = ['tea-green', 'tea-black', 'coffee-beans', 'mug', 'teapot'];

export interface Load {
  /** Placements begun so far. */
  readonly placements: readonly Placement[];
  /** Begins no more and resolves when every key has its definite answer, or has been asked for long enough. */
  stop(): Promise<readonly Placement[]>;
}

export interface LoadOptions {
  /** Orders per second. */
  readonly rate: number;
  readonly seed: number;
  /** How long one key is repeated, in milliseconds. */
  readonly patience?: number;
}

const running = new Set<() => void>();

/** Ends every load that is still running: a test that failed must leave none to the next one, nor to the process. */
export function endLoads(): void {
  for (const end of running) end();
}

/**
 * Places orders at a steady rate, whatever becomes of those before (an open loop: a slow service gets no mercy). Four in
 * a hundred are of a customer without money, so that compensation runs all the time; now and then it delivers and
 * deposits.
 */
export function startLoad(client: Client, { rate, seed, patience = 90_000 }: LoadOptions): Load {
  const random = randomFrom(seed);
  const placements: Placement[] = [];
  const under = new Set<Promise<unknown>>();
  const begun = performance.now();
  let ticks = 0;
  const track = (work: Promise<unknown>): void => {
    const tracked = work.finally(() => under.delete(tracked));
    under.add(tracked);
    // A failure is reported by stop().
    tracked.catch(() => undefined);
  };
  const one = (): void => {
    ticks += 1;
    const poor = random() < 0.04;
    const body = {
      customerId: poor ? 'customer-poor' : `customer-${1 + Math.floor(random() * 100)}`,
      lines: [
        { sku: pick(random, skus.slice(0, 3)), quantity: 1 + Math.floor(random() * 2) },
        ...(random() < 0.3 ? [{ sku: pick(random, skus.slice(3)), quantity: 1 }] : []),
      ],
    };
    track(client.place(body, { within: patience }).then((placement) => placements.push(placement)));
    if (ticks % 20 === 0) track(client.deposit(`customer-${1 + Math.floor(random() * 100)}`, 500));
    if (ticks % 20 === 10) track(client.deliver(pick(random, skus), 3));
  };
  const timer = setInterval(
    () => {
      while (ticks < ((performance.now() - begun) / 1000) * rate) one();
    },
    Math.min(50, 1000 / rate),
  );
  const end = (): void => {
    clearInterval(timer);
    running.delete(end);
  };
  running.add(end);
  return {
    placements,
    async stop() {
      end();
      const results = await Promise.allSettled(under);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return placements;
    },
  };
}

/** Resolves after so many milliseconds of load. */
export function forAWhile(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
