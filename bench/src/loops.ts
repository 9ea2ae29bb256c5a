import { randomFrom } from '@faultline/harness';
import { build, type Histogram } from 'hdr-histogram-js';

/** How an order ended for whoever placed it. */
export type Ended = 'approved' | 'rejected';

/** Places the n-th order and resolves with its decision; rejects when there is none. */
export type Place = (nth: number) => Promise<Ended>;

export interface Loop {
  /** So many clients, each places its next order when the last one is decided; or so many orders per second. */
  readonly kind: 'closed' | 'open';
  readonly size: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface Measured {
  /** Decided within the measured seconds. */
  readonly decided: number;
  /** Decided at all, with those that were under way at the end. */
  readonly ended: number;
  readonly approved: number;
  readonly seconds: number;
  /** Microseconds from the POST (in an open loop: from the moment it was planned for) to the decision. */
  readonly latency: Histogram;
  readonly failures: readonly string[];
}

export const newHistogram = (): Histogram =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000, numberOfSignificantValueDigits: 3 });

/** Runs one load to its end and waits for what is under way. */
export async function runLoop(loop: Loop, place: Place): Promise<Measured> {
  const tally = new Tally(performance.now() + loop.seconds * 1000);
  await (loop.kind === 'closed' ? closed(loop, place, tally) : open(loop, place, tally));
  return { ...tally.result(), seconds: loop.seconds };
}

class Tally {
  readonly #latency = newHistogram();
  readonly #failures: string[] = [];
  #decided = 0;
  #ended = 0;
  #approved = 0;

  constructor(readonly until: number) {}

  async measure(since: number, order: Promise<Ended>): Promise<void> {
    try {
      const ended = await order;
      const now = performance.now();
      this.#ended += 1;
      if (ended === 'approved') this.#approved += 1;
      if (now <= this.until) this.#decided += 1;
      this.#latency.recordValue(Math.max(1, Math.round((now - since) * 1000)));
    } catch (error) {
      this.#failures.push(error instanceof Error ? error.message : String(error));
    }
  }

  result(): Omit<Measured, 'seconds'> {
    return {
      decided: this.#decided,
      ended: this.#ended,
      approved: this.#approved,
      latency: this.#latency,
      failures: this.#failures,
    };
  }
}

async function closed({ size }: Loop, place: Place, tally: Tally): Promise<void> {
  let placed = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < tally.until) {
      placed += 1;
      await tally.measure(performance.now(), place(placed));
    }
  };
  await Promise.all(Array.from({ length: size }, client));
}

/** Arrivals at random (Poisson), from the seed: a slow system gets no mercy, and what waits is timed from its plan. */
async function open({ size, seed }: Loop, place: Place, tally: Tally): Promise<void> {
  const random = randomFrom(seed);
  const under: Promise<void>[] = [];
  for (
    let planned = performance.now();
    planned < tally.until;
    planned += (-Math.log(1 - random()) / size) * 1000
  ) {
    const early = planned - performance.now();
    if (early > 0.5) await new Promise((resolve) => setTimeout(resolve, early));
    under.push(tally.measure(planned, place(under.length + 1)));
  }
  await Promise.all(under);
}
