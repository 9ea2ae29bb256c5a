import type { FallbackLabel } from './events.js';
import type { Next, Running, Surroundings, Way } from './policy.js';

/** What the caller gets instead: labelled, so that it cannot be mistaken for an answer. */
export interface FellBack<T> {
  readonly fallback: FallbackLabel;
  readonly value: T;
}

export interface Fallback<T> {
  readonly kind: 'fallback';
  begin(surroundings: Surroundings): Running;
  /** Only for the type: what it falls back to. */
  readonly to?: T;
}

/**
 * Answers `{ fallback: label, value }` when everything inside it failed. `value` may throw the error it is given, or
 * another one, when it has nothing. Never for money: a payment that is made up is a loss that nobody has booked.
 */
export function fallback<T>(label: FallbackLabel, value: (error: unknown) => T | Promise<T>): Fallback<T> {
  return {
    kind: 'fallback',
    begin: ({ name, clock, emit }) => ({
      async around<R>(way: Way, next: Next<R>): Promise<R> {
        try {
          return await next(way);
        } catch (error) {
          const instead: FellBack<T> = { fallback: label, value: await value(error) };
          emit({ type: 'fallback', name, at: clock.now(), label, error });
          // The pipeline's type says so: a call answers what it answers, or this.
          return instead as R;
        }
      },
    }),
  };
}
