import type { Client, Placement } from './client.js';
import { pick, randomFrom } from './random.js';

const skus = ['tea-green', 'tea-black', 'coffee-beans', 'mug', 'teapot'];
// Half of them well, the others in each of the gateway's moods.
const everyMood = [
  ...Array.from({ length: 4 }, () => 'card-ok'),
  'card-flaky',
  'card-slow',
  'card-timeout',
  'card-declined',
];

/** One order of the load, from the moment at which it was planned to be placed. Instants are epoch milliseconds. */
export interface Arrival {
  readonly plannedAt: number;
  /** When its key had a definite answer, however often it had to be asked. */
  answeredAt?: number;
  placement?: Placement;
}

export interface Load {
  /** Placements with a definite answer, or given up, so far. */
  readonly placements: readonly Placement[];
  /** Everything that was placed so far. */
  readonly arrivals: readonly Arrival[];
  /** Begins no more and resolves when every key has its definite answer, or has been asked for long enough. */
  stop(): Promise<readonly Placement[]>;
}

export interface LoadOptions {
  /** Orders per second, on average. */
  readonly rate: number;
  readonly seed: number;
  /** How many of a hundred orders are paid by card; 0. */
  readonly cards?: number;
  /** The cards that are paid by; one of each of the gateway's moods, and well ones, unless told. */
  readonly cardTokens?: readonly string[];
  readonly protocol?: string;
  /** How long one key is repeated, in milliseconds. */
  readonly patience?: number;
}

const running = new Set<() => void>();

/** Ends every load that is still running: a test that failed must leave none to the next one, nor to the process. */
export function endLoads(): void {
  for (const end of running) end();
}

/** Milliseconds after the beginning at which somebody comes: a Poisson process, as customers who know nothing of each other. */
export function* poissonArrivals(rate: number, seed: number): Generator<number> {
  const random = randomFrom(seed);
  for (let at = 0; ;) {
    at += (-Math.log(1 - random()) / rate) * 1000;
    yield at;
  }
}

/**
 * Places orders as they arrive, whatever becomes of those before (an open loop: a slow service gets no mercy, and what
 * it makes others wait is counted from the planned moment). Four in a hundred are of a customer without money, so that
 * compensation runs all the time; now and then it delivers and deposits.
 */
export function startLoad(
  client: Client,
  { rate, seed, cards = 0, cardTokens = everyMood, protocol, patience = 90_000 }: LoadOptions,
): Load {
  const random = randomFrom(seed);
  // Its own numbers: who comes must not decide when the next one does.
  const moments = poissonArrivals(rate, seed + 1);
  const placements: Placement[] = [];
  const arrivals: Arrival[] = [];
  const under = new Set<Promise<unknown>>();
  const begun = now();
  let next = nextOf(moments);
  let timer: NodeJS.Timeout | undefined;
  const track = (work: Promise<unknown>): void => {
    const tracked = work.finally(() => under.delete(tracked));
    under.add(tracked);
    // A failure is reported by stop().
    tracked.catch(() => undefined);
  };
  const one = (plannedAt: number): void => {
    const arrival: Arrival = { plannedAt };
    arrivals.push(arrival);
    const poor = random() < 0.04;
    const body = {
      customerId: poor ? 'customer-poor' : `customer-${1 + Math.floor(random() * 100)}`,
      lines: [
        { sku: pick(random, skus.slice(0, 3)), quantity: 1 + Math.floor(random() * 2) },
        ...(random() < 0.3 ? [{ sku: pick(random, skus.slice(3)), quantity: 1 }] : []),
      ],
      ...(cards > 0 && random() * 100 < cards
        ? { payment: { method: 'card', cardToken: pick(random, cardTokens) } }
        : {}),
      ...(protocol === undefined ? {} : { protocol }),
    };
    const placed = client.place(body, { within: patience }).then((placement) => {
      arrival.placement = placement;
      if (placement.outcome) arrival.answeredAt = now();
      placements.push(placement);
    });
    track(placed);
    // About what twenty orders take: shelves and wallets never run dry, however long it goes on.
    if (arrivals.length % 20 === 0)
      track(client.deposit(`customer-${1 + Math.floor(random() * 100)}`, 35_000));
    if (arrivals.length % 20 === 10) track(client.deliver(pick(random, skus), 50));
  };
  const arrive = (): void => {
    // Whoever should have come while this process was busy comes now, and is counted from when it should have come.
    for (; now() - begun >= next; next = nextOf(moments)) one(begun + next);
    timer = setTimeout(arrive, Math.max(0, begun + next - now()));
  };
  const end = (): void => {
    clearTimeout(timer);
    running.delete(end);
  };
  running.add(end);
  timer = setTimeout(arrive, next);
  return {
    placements,
    arrivals,
    async stop() {
      end();
      const results = await Promise.allSettled(under);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return placements;
    },
  };
}

function nextOf(moments: Generator<number>): number {
  const { value } = moments.next();
  return Number(value);
}

/** Epoch milliseconds that no change of the clock moves. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Resolves after so many milliseconds of load, or when the signal says that it is enough. */
export function forAWhile(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
