import { demand } from './policy.js';

export interface LoadSheddingSettings {
  /** What may be worked on at a time. */
  readonly limit: number;
  /** Milliseconds by which the event loop may lag before nothing more is let in. */
  readonly longestDelay: number;
  /** The lag at this moment, in milliseconds. */
  readonly delay: () => number;
}

export type Shed = { readonly shed: 'TOO_MANY' | 'TOO_SLOW' };

export interface LoadSheddingView {
  readonly limit: number;
  readonly active: number;
  /** Since the start. */
  readonly shed: number;
}

/**
 * Refuses work at the door while there is too much of it: what is let in is then done in time, where everything let in
 * would be late. (Google, "Site Reliability Engineering": Handling Overload.)
 */
export class LoadShedding {
  #active = 0;
  #shed = 0;

  constructor(private readonly o: LoadSheddingSettings) {
    demand(
      Number.isInteger(o.limit) && o.limit > 0,
      `load shedding: limit is ${o.limit}; it must be above 0`,
    );
    demand(
      o.longestDelay > 0,
      `load shedding: longestDelay is ${o.longestDelay}; it must be milliseconds above 0`,
    );
  }

  /** Lets one in, and answers how to say that it has ended (which may be said twice); or refuses it. */
  enter(): (() => void) | Shed {
    const shed: Shed | undefined =
      this.#active >= this.o.limit
        ? { shed: 'TOO_MANY' }
        : this.o.delay() > this.o.longestDelay
          ? { shed: 'TOO_SLOW' }
          : undefined;
    if (shed) {
      this.#shed += 1;
      return shed;
    }
    this.#active += 1;
    let inside = true;
    return () => {
      if (inside) this.#active -= 1;
      inside = false;
    };
  }

  get view(): LoadSheddingView {
    return { limit: this.o.limit, active: this.#active, shed: this.#shed };
  }
}
