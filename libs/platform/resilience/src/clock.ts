/** Where every policy takes its time from, so that a test can be the one who lets it pass. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs it once, that many milliseconds from now, unless the answered function is called before. */
  after(milliseconds: number, run: () => void): () => void;
}

/** The machine's clock, kept from going back: what is measured here are distances. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(milliseconds, run) {
    // setTimeout runs at once what is too far away for it.
    const timer = setTimeout(run, Math.min(milliseconds, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};
