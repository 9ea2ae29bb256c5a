import { aborted } from './aborted.js';
import { demand, type Next, type Policy, type Running, type Surroundings, type Way } from './policy.js';
import { PipelineRefused } from './refused.js';

export type Deadline = Policy<'deadline'>;

/**
 * The whole call, with its waiting and its repeats, takes no longer than `within` milliseconds, nor longer than the
 * deadline it came with: then the caller is told DEADLINE_EXCEEDED, at once, and what is under way is aborted. What comes
 * too late already is not begun.
 */
export function deadline({ within }: { readonly within: number }): Deadline {
  demand(within > 0, `deadline: within is ${within}; it must be milliseconds above 0`);
  return { kind: 'deadline', begin: (surroundings) => new Deadlines(within, surroundings) };
}

class Deadlines implements Running {
  constructor(
    private readonly within: number,
    private readonly s: Surroundings,
  ) {}

  async around<T>(way: Way, next: Next<T>): Promise<T> {
    const now = this.s.clock.now();
    const until = Math.min(way.deadline, now + this.within);
    if (until <= now) throw this.#exceeded();
    const ending = new AbortController();
    const cancel = this.s.clock.after(until - now, () => ending.abort(this.#exceeded()));
    const signal = AbortSignal.any([way.signal, ending.signal]);
    try {
      return await Promise.race([next({ ...way, deadline: until, signal }), aborted(signal)]);
    } finally {
      cancel();
    }
  }

  #exceeded(): PipelineRefused {
    const { name, clock, emit } = this.s;
    emit({ type: 'refused', name, at: clock.now(), reason: 'DEADLINE_EXCEEDED' });
    return new PipelineRefused(name, 'DEADLINE_EXCEEDED');
  }
}
