import { aborted } from './aborted.js';
import { demand, type Next, type Policy, type Running, type Surroundings, type Way } from './policy.js';
import { PipelineRefused } from './refused.js';
import { RetryBudget, type RetryBudgetSettings } from './retry-budget.js';

export interface RetrySettings {
  /** Attempts at most, the first one counted. */
  readonly attempts: number;
  /** Milliseconds: the pause before the n-th attempt is anything from 0 to `firstPause` doubled each time. */
  readonly firstPause?: number;
  readonly longestPause?: number;
  readonly budget?: RetryBudgetSettings;
  /** Whether the same call may succeed when it is made again. What a policy refused never is. */
  readonly isRetriable?: (error: unknown) => boolean;
}

export type Retry = Policy<'retry', Retries>;

/**
 * Repeats what failed, after a pause with full jitter, while budget and deadline allow it; else the last failure is the
 * answer. Only one layer of a system retries: three that try three times each ask twenty-seven times.
 * (Brooker, "Exponential Backoff and Jitter".)
 */
export function retry(settings: RetrySettings): Retry {
  const { attempts } = settings;
  demand(
    Number.isInteger(attempts) && attempts > 0,
    `retry: attempts is ${attempts}; it must be a whole number above 0`,
  );
  return { kind: 'retry', begin: (surroundings) => new Retries(settings, surroundings) };
}

/** Repeats nothing; whoever calls does, later, and says which attempt it is: each above the first draws on the budget. */
export function retriedByTheCaller(budget: RetryBudgetSettings = {}): Retry {
  return retry({ attempts: 1, budget });
}

export class Retries implements Running {
  readonly budget: RetryBudget;

  constructor(
    private readonly o: RetrySettings,
    private readonly s: Surroundings,
  ) {
    this.budget = new RetryBudget(s.name, o.budget ?? {}, s.clock, s.emit);
  }

  async around<T>(way: Way, next: Next<T>): Promise<T> {
    if (way.number === 1) this.budget.earn();
    else if (!this.budget.spend()) throw new PipelineRefused(this.s.name, 'RETRY_BUDGET_EXHAUSTED');
    for (let number = way.number; ; number += 1) {
      try {
        return await next({ ...way, number });
      } catch (error) {
        // Nobody was asked: that was no retry.
        if (number > 1 && error instanceof PipelineRefused && error.reason !== 'DEADLINE_EXCEEDED')
          this.budget.giveBack();
        const pauseMs = this.#pauseAfter(number - way.number + 1, error, way);
        if (pauseMs === null) throw error;
        this.s.emit({
          type: 'retry',
          name: this.s.name,
          at: this.s.clock.now(),
          number: number + 1,
          pauseMs,
        });
        await this.#pause(pauseMs, way.signal);
      }
    }
  }

  /** Null when there is no further attempt. */
  #pauseAfter(attempt: number, error: unknown, way: Way): number | null {
    const { attempts, firstPause = 50, longestPause = 2000, isRetriable = saysSo } = this.o;
    if (attempt >= attempts || way.signal.aborted) return null;
    if (error instanceof PipelineRefused || !isRetriable(error)) return null;
    const pause = this.s.random() * Math.min(longestPause, firstPause * 2 ** (attempt - 1));
    // A pause that ends after the deadline would only keep the caller waiting for its failure.
    if (this.s.clock.now() + pause >= way.deadline) return null;
    return this.budget.spend() ? pause : null;
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const cancel = this.s.clock.after(milliseconds, resolve);
    await Promise.race([over, aborted(signal)]).finally(cancel);
  }
}

/** An error that says `retriable: false` is a definite answer. */
function saysSo(error: unknown): boolean {
  return !(typeof error === 'object' && error !== null && 'retriable' in error && error.retriable === false);
}
