import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';

const slices = 10;

/** What is counted in the window. */
export interface Counted {
  readonly calls: number;
  readonly bad: number;
}

/**
 * Calls of the last `window` milliseconds, and how many of them were bad; `onTrip` is called as soon as there are
 * `minimum` of them and the bad ones reach `rate`. It is opossum's closed state and nothing else of it: outcomes are fed
 * to it when they are known, so that neither refusals nor calls under way count, and no late one finds it again.
 */
export class OutcomeWindow {
  readonly #turning = new EventEmitter();
  readonly #circuit: CircuitBreaker<[boolean], void>;
  #sliceBegun: number;

  constructor(
    private readonly o: { readonly window: number; readonly minimum: number; readonly rate: number },
    now: number,
    onTrip: () => void,
  ) {
    this.#sliceBegun = now;
    this.#circuit = new CircuitBreaker(
      (bad: boolean) => (bad ? Promise.reject(new Error('bad')) : Promise.resolve()),
      {
        timeout: false,
        // It opens above its threshold, and so never at 100: a hair less makes it "from the rate on".
        errorThresholdPercentage: o.rate * 100 - 1e-6,
        volumeThreshold: o.minimum,
        rollingCountTimeout: o.window,
        rollingCountBuckets: slices,
        rollingPercentilesEnabled: false,
        enableSnapshots: false,
        rotateBucketController: this.#turning,
      },
    );
    this.#circuit.on('open', () => onTrip());
  }

  count(bad: boolean, now: number): Promise<void> {
    this.#turnTo(now);
    return this.#circuit.fire(bad).catch(() => undefined);
  }

  counted(now: number): Counted {
    this.#turnTo(now);
    const { fires, failures } = this.#circuit.stats;
    return { calls: fires, bad: failures };
  }

  /** Its timers are gone and nothing is counted any more. */
  end(): void {
    this.#circuit.shutdown();
  }

  // The window moves when somebody looks, by the clock that was given: opossum's own timers know no other.
  #turnTo(now: number): void {
    const slice = this.o.window / slices;
    const passed = Math.min(Math.floor((now - this.#sliceBegun) / slice), slices);
    for (let turn = 0; turn < passed; turn += 1) this.#turning.emit('rotate');
    if (passed > 0) this.#sliceBegun = passed === slices ? now : this.#sliceBegun + passed * slice;
  }
}
