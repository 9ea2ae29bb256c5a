import type { Clock } from './clock.js';
import type { ResilienceEvent } from './events.js';
import { demand } from './policy.js';

export interface RetryBudgetView {
  readonly name: string;
  readonly tokens: number;
  readonly capacity: number;
  /** Since the start. */
  readonly retries: number;
  readonly refused: number;
}

export interface RetryBudgetSettings {
  /** Of a token, for each call that is made for the first time: 0.1 allows one retry for ten calls. */
  readonly ratio?: number;
  /** Tokens at most, and at the start: what a quiet dependency may be retried at once. */
  readonly capacity?: number;
  /** Tokens that come by themselves: where nothing new is called, what is left to be retried must not wait for ever. */
  readonly perSecond?: number;
}

/**
 * A token bucket that calls fill and retries empty. While everything fails, retries add `ratio` to the load and no
 * more: a retry storm ends here. (Google, "Site Reliability Engineering", Handling Overload; Finagle's RetryBudget.)
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #capacity: number;
  readonly #perSecond: number;
  #tokens: number;
  #at: number;
  #retries = 0;
  #refused = 0;

  constructor(
    readonly name: string,
    { ratio = 0.2, capacity = 10, perSecond = 0 }: RetryBudgetSettings,
    private readonly clock: Clock,
    private readonly emit: (event: ResilienceEvent) => void,
  ) {
    demand(ratio >= 0 && ratio <= 1, `retry budget: ratio is ${ratio}; it must be from 0 to 1`);
    demand(capacity >= 1, `retry budget: capacity is ${capacity}; it must be 1 or more`);
    this.#ratio = ratio;
    this.#capacity = capacity;
    demand(perSecond >= 0, `retry budget: perSecond is ${perSecond}; it must not be negative`);
    this.#perSecond = perSecond;
    this.#tokens = capacity;
    this.#at = clock.now();
  }

  /** A call is made for the first time. */
  earn(): void {
    this.#trickle();
    this.#tokens = Math.min(this.#capacity, this.#tokens + this.#ratio);
  }

  /** Whether a call may be made once more. */
  spend(): boolean {
    this.#trickle();
    // Ten times a tenth of a token is a little less than one.
    if (this.#tokens < 1 - 1e-9) {
      this.#refused += 1;
      this.emit({ type: 'refused', name: this.name, at: this.clock.now(), reason: 'RETRY_BUDGET_EXHAUSTED' });
      return false;
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
    this.#retries += 1;
    return true;
  }

  /** What was allowed was not made after all. */
  giveBack(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + 1);
    this.#retries -= 1;
  }

  get view(): RetryBudgetView {
    this.#trickle();
    return {
      name: this.name,
      tokens: Math.round(this.#tokens * 1000) / 1000,
      capacity: this.#capacity,
      retries: this.#retries,
      refused: this.#refused,
    };
  }

  #trickle(): void {
    const now = this.clock.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
  }
}
