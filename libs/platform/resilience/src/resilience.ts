import { CircuitBreaker, type BreakerView } from './breaker.js';
import { type BulkheadView, Slots } from './bulkhead.js';
import { systemClock, type Clock } from './clock.js';
import type { ResilienceEvent } from './events.js';
import {
  type Answer,
  type Attempt,
  type CallOptions,
  type InOrder,
  type Pipeline,
  throughAll,
} from './pipeline.js';
import { demand, type Running, type Surroundings, type Way } from './policy.js';
import { Retries } from './retry.js';
import type { RetryBudgetView } from './retry-budget.js';

/** How everything stands at this moment. */
export interface ResilienceView {
  readonly breakers: readonly BreakerView[];
  readonly bulkheads: readonly BulkheadView[];
  readonly retryBudgets: readonly RetryBudgetView[];
}

export type Listener = (event: ResilienceEvent) => void;

const never = new AbortController().signal;

/** The pipelines of a process, by the name of what they call, and everybody who listens to them. */
export class Resilience {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #traceId: () => string | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #running = new Map<string, readonly Running[]>();

  constructor({
    clock = systemClock,
    random = Math.random,
    traceId = () => undefined,
  }: {
    readonly clock?: Clock;
    /** Numbers in [0, 1), for the jitter. */
    readonly random?: () => number;
    /** The trace that is active, told along with a breaker's transition. */
    readonly traceId?: () => string | undefined;
  } = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#traceId = traceId;
  }

  /** Makes the one pipeline to a dependency. Throws a RangeError for a setting that cannot be, or a name given twice. */
  pipeline<F = never>(name: string, ...policies: InOrder<F>): Pipeline<F> {
    demand(!this.#running.has(name), `there is a pipeline ${name} already: one dependency has one breaker`);
    const surroundings: Surroundings = {
      name,
      clock: this.#clock,
      random: this.#random,
      emit: (event) => this.#tell(event),
    };
    const running = policies.map((policy) => policy.begin(surroundings));
    this.#running.set(name, running);
    const clock = this.#clock;
    return {
      name,
      execute<T>(
        call: (attempt: Attempt) => Promise<T>,
        { deadline = Infinity, signal = never, number = 1 }: CallOptions = {},
      ): Promise<Answer<T, F>> {
        const innermost = ({ signal: stop, number: nth, deadline: until }: Way): Promise<T> =>
          call({ signal: stop, number: nth, remainingMs: Math.max(0, until - clock.now()) });
        const way: Way = { number, deadline, signal, holds: () => undefined };
        return throughAll<T>(running, innermost)(way) as Promise<Answer<T, F>>;
      },
    };
  }

  view(): ResilienceView {
    return {
      breakers: this.#all(CircuitBreaker).map(({ view }) => view),
      bulkheads: this.#all(Slots).map(({ view }) => view),
      retryBudgets: this.#all(Retries).map(({ budget }) => budget.view),
    };
  }

  /** Refuses every call to it until it is released. False when there is no such breaker. */
  isolate(name: string): boolean {
    const found = this.#find(name, CircuitBreaker);
    found?.isolate();
    return found !== undefined;
  }

  release(name: string): boolean {
    const found = this.#find(name, CircuitBreaker);
    found?.release();
    return found !== undefined;
  }

  /** Tells of everything that policies do. Answers how to stop that. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(happened: ResilienceEvent): void {
    const traceId = happened.type === 'breaker-transition' ? this.#traceId() : undefined;
    const event = traceId === undefined ? happened : { ...happened, traceId };
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // Whoever only watches must not make a call fail.
      }
    }
  }

  #find<R extends Running>(name: string, kind: abstract new (...args: never[]) => R): R | undefined {
    return this.#running.get(name)?.find((running): running is R => running instanceof kind);
  }

  #all<R extends Running>(kind: abstract new (...args: never[]) => R): R[] {
    return [...this.#running.values()].flat().filter((running): running is R => running instanceof kind);
  }
}
