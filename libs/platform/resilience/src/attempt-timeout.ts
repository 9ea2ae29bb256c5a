import { aborted } from './aborted.js';
import { demand, type Next, type Policy, type Running, type Surroundings, type Way } from './policy.js';
import { AttemptTimedOut } from './refused.js';

export type AttemptTimeout = Policy<'attempt-timeout'>;

/**
 * One attempt takes at most `within` milliseconds; then its own AbortSignal closes its socket, and no other's, and
 * AttemptTimedOut is thrown. Work that does not listen to its signal is waited for by its bulkhead.
 */
export function attemptTimeout({ within }: { readonly within: number }): AttemptTimeout {
  demand(within > 0, `attempt timeout: within is ${within}; it must be milliseconds above 0`);
  return { kind: 'attempt-timeout', begin: (surroundings) => new AttemptTimeouts(within, surroundings) };
}

class AttemptTimeouts implements Running {
  constructor(
    private readonly within: number,
    private readonly s: Surroundings,
  ) {}

  async around<T>(way: Way, next: Next<T>): Promise<T> {
    const { name, clock, emit } = this.s;
    const begun = clock.now();
    const ending = new AbortController();
    const cancel = clock.after(this.within, () => ending.abort(new AttemptTimedOut(name, this.within)));
    const signal = AbortSignal.any([way.signal, ending.signal]);
    const deadline = Math.min(way.deadline, begun + this.within);
    const work = next({ ...way, deadline, signal });
    way.holds(work);
    const ended = (result: 'success' | 'failure' | 'timeout', error?: unknown): void => {
      const at = clock.now();
      emit({
        type: 'attempt',
        name,
        at,
        number: way.number,
        result,
        milliseconds: at - begun,
        ...(error === undefined ? {} : { error }),
      });
    };
    try {
      const answer = await Promise.race([work, aborted(signal)]);
      ended('success');
      return answer;
    } catch (error) {
      // Work that ends because of its signal throws whatever it likes.
      const timedOut = ending.signal.aborted && !way.signal.aborted;
      const why = timedOut ? (ending.signal.reason as Error) : error;
      ended(timedOut ? 'timeout' : 'failure', why);
      throw why;
    } finally {
      cancel();
    }
  }
}
