import type { AttemptTimeout } from './attempt-timeout.js';
import type { Breaker } from './breaker.js';
import type { Bulkhead } from './bulkhead.js';
import type { Deadline } from './deadline.js';
import type { Fallback, FellBack } from './fallback.js';
import type { Next, Running, Way } from './policy.js';
import type { Retry } from './retry.js';

/** What a call is told of its attempt. */
export interface Attempt {
  /** Give it to whatever waits: the socket is closed when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** 1 is the first. */
  readonly number: number;
  /** Milliseconds until this attempt ends, Infinity without a limit: tell the dependency, it need not work longer. */
  readonly remainingMs: number;
}

export interface CallOptions {
  /** Milliseconds since the epoch. */
  readonly deadline?: number;
  /** Aborts this call, and no other. */
  readonly signal?: AbortSignal;
  /** Which attempt this is when the caller himself repeats; what is above 1 earns no budget. */
  readonly number?: number;
}

/** Every call to one dependency. `F` is what it may fall back to. */
export interface Pipeline<F = never> {
  readonly name: string;
  /**
   * Rejects with PipelineRefused when a policy said no, with AttemptTimedOut when no answer came in time, and else with
   * what the call threw.
   */
  execute<T>(call: (attempt: Attempt) => Promise<T>, options?: CallOptions): Promise<Answer<T, F>>;
}

/** What the call answers, or what is labelled as a fallback where there is one. */
export type Answer<T, F> = [F] extends [never] ? T : T | FellBack<F>;

type Maybe<P> = [P] | [];

/**
 * The policies of a pipeline, outermost first: in another order it does not compile. The deadline covers waiting and
 * repeats; a slot is held through the pauses; a repeat asks the breaker again; and what times out is one attempt.
 */
export type InOrder<F> = readonly [
  ...Maybe<Fallback<F>>,
  ...Maybe<Deadline>,
  ...Maybe<Bulkhead>,
  ...Maybe<Retry>,
  ...Maybe<Breaker>,
  ...Maybe<AttemptTimeout>,
];

/** One function of all of them. */
export function throughAll<T>(policies: readonly Running[], call: Next<T>): Next<T> {
  return policies.reduceRight<Next<T>>((next, policy) => (way: Way) => policy.around(way, next), call);
}
