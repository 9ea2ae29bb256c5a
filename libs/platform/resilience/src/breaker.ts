import type { BreakerState } from './events.js';
import { OutcomeWindow } from './outcome-window.js';
import { demand, type Next, type Policy, type Running, type Surroundings, type Way } from './policy.js';
import { PipelineRefused } from './refused.js';

/** What the end of a call says of the dependency. `ignore`: nothing, as a 4xx, which is about the question. */
export type Outcome = 'success' | 'failure' | 'ignore';
export type Ended = { readonly value: unknown } | { readonly error: unknown };

/** Times are milliseconds, rates are from 0 to 1. */
export interface BreakerSettings {
  /** Opens when this part of the calls in the window has failed. */
  readonly failureRate?: number;
  /** Opens, too, when this part of them took longer than `slowAfter`: slow is worse than down. */
  readonly slowRate?: number;
  readonly slowAfter?: number;
  /** Calls in the window before their rates mean anything. */
  readonly minimum?: number;
  readonly window?: number;
  /** How long it stays open at first; doubled while its probes fail, up to `longestOpen`. */
  readonly openFor?: number;
  readonly longestOpen?: number;
  /** A probe without an answer for so long has failed, whatever becomes of it. */
  readonly probeWithin?: number;
  readonly outcomeOf?: (ended: Ended) => Outcome;
}

export interface BreakerView {
  readonly name: string;
  readonly state: BreakerState;
  /** When it came into this state, and why: milliseconds since the epoch, and words. */
  readonly since: number;
  readonly cause: string | null;
  /** When the next probe may go: null unless it is open. */
  readonly retryAt: number | null;
  /** Of the window, while it is closed; of what opened it, afterwards. */
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Since it came into this state. */
  readonly refused: number;
}

export type Breaker = Policy<'breaker', CircuitBreaker>;

const defaults = {
  failureRate: 0.5,
  slowRate: 0.8,
  slowAfter: Infinity,
  minimum: 10,
  window: 10_000,
  openFor: 1000,
  longestOpen: 5000,
  probeWithin: 10_000,
  outcomeOf: saidByTheError,
} satisfies Required<BreakerSettings>;

/**
 * Stops asking a dependency that fails or has become slow, and finds out by one call at a time whether it is well again.
 * (Nygard, "Release It!": Circuit Breaker.) Each time it closes it counts anew; what was begun before is not counted.
 */
export function breaker(settings: BreakerSettings = {}): Breaker {
  const o = { ...defaults, ...settings };
  for (const rate of ['failureRate', 'slowRate'] as const)
    demand(o[rate] > 0 && o[rate] <= 1, `breaker: ${rate} is ${o[rate]}; it must be above 0 and at most 1`);
  for (const time of ['slowAfter', 'window', 'openFor', 'longestOpen', 'probeWithin'] as const)
    demand(o[time] > 0, `breaker: ${time} is ${o[time]}; it must be milliseconds above 0`);
  demand(
    Number.isInteger(o.minimum) && o.minimum > 0,
    `breaker: minimum is ${o.minimum}; it must be above 0`,
  );
  return { kind: 'breaker', begin: (surroundings) => new CircuitBreaker(o, surroundings) };
}

interface In {
  readonly since: number;
  readonly cause: string | null;
}
interface Closed extends In {
  readonly is: 'CLOSED';
  readonly failed: OutcomeWindow;
  readonly slow: OutcomeWindow;
}
interface Open extends In {
  readonly is: 'OPEN';
  readonly openFor: number;
  readonly cancel: () => void;
}
interface HalfOpen extends In {
  readonly is: 'HALF_OPEN';
  readonly openFor: number;
  probing: boolean;
}
interface Isolated extends In {
  readonly is: 'ISOLATED';
}
type State = Closed | Open | HalfOpen | Isolated;

export class CircuitBreaker implements Running {
  #state: State;
  #refused = 0;
  #last = { calls: 0, failures: 0, slow: 0 };

  constructor(
    private readonly o: Required<BreakerSettings>,
    private readonly s: Surroundings,
  ) {
    this.#state = this.#closed(null);
  }

  get view(): BreakerView {
    const { is, since, cause } = this.#state;
    return {
      name: this.s.name,
      state: is,
      since,
      cause,
      retryAt: this.#state.is === 'OPEN' ? since + this.#state.openFor : null,
      ...(this.#state.is === 'CLOSED' ? this.#countedIn(this.#state) : this.#last),
      refused: this.#refused,
    };
  }

  /** From now on every call is refused, until it is released. */
  isolate(): void {
    if (this.#state.is === 'ISOLATED') return;
    this.#become({ is: 'ISOLATED', since: this.s.clock.now(), cause: 'isolated by hand' });
  }

  /** The next call is a probe. Does nothing unless it is isolated. */
  release(): void {
    if (this.#state.is === 'ISOLATED') this.#halfOpen(this.o.openFor, 'released by hand');
  }

  around<T>(way: Way, next: Next<T>): Promise<T> {
    const state = this.#state;
    switch (state.is) {
      case 'CLOSED':
        return this.#measured(state, way, next);
      case 'HALF_OPEN':
        return state.probing ? this.#refuse('BREAKER_OPEN', null) : this.#probe(state, way, next);
      case 'OPEN':
        return this.#refuse('BREAKER_OPEN', Math.max(0, state.since + state.openFor - this.s.clock.now()));
      case 'ISOLATED':
        return this.#refuse('ISOLATED', null);
    }
  }

  async #measured<T>(state: Closed, way: Way, next: Next<T>): Promise<T> {
    const begun = this.s.clock.now();
    const count = async (ended: Ended): Promise<void> => {
      const now = this.s.clock.now();
      const isSlow = now - begun > this.o.slowAfter;
      const outcome = this.#outcomeOf(ended, way, isSlow);
      // What began in an earlier life of this breaker changes nothing in this one.
      if (outcome === 'ignore' || this.#state !== state) return;
      await Promise.all([state.failed.count(outcome === 'failure', now), state.slow.count(isSlow, now)]);
    };
    try {
      const value = await next(way);
      await count({ value });
      return value;
    } catch (error) {
      await count({ error });
      throw error;
    }
  }

  async #probe<T>(state: HalfOpen, way: Way, next: Next<T>): Promise<T> {
    state.probing = true;
    const begun = this.s.clock.now();
    const again = (why: string): void =>
      this.#open(Math.min(state.openFor * 2, this.o.longestOpen), `its probe ${why}`);
    const cancel = this.s.clock.after(this.o.probeWithin, () => {
      if (this.#state === state) again(`had no answer within ${seconds(this.o.probeWithin)}`);
    });
    const judge = (ended: Ended): void => {
      cancel();
      if (this.#state !== state) return;
      const isSlow = this.s.clock.now() - begun > this.o.slowAfter;
      const outcome = this.#outcomeOf(ended, way, isSlow);
      if (outcome === 'ignore') state.probing = false;
      else if (outcome === 'failure')
        again(`failed: ${'error' in ended ? messageOf(ended.error) : 'by its answer'}`);
      else if (isSlow) again(`took longer than ${seconds(this.o.slowAfter)}`);
      else this.#become(this.#closed('its probe succeeded'));
    };
    try {
      const value = await next(way);
      judge({ value });
      return value;
    } catch (error) {
      judge({ error });
      throw error;
    }
  }

  // A caller who went away says nothing of the dependency, unless it was slow.
  #outcomeOf(ended: Ended, way: Way, isSlow: boolean): Outcome {
    if ('error' in ended && way.signal.aborted) return isSlow ? 'failure' : 'ignore';
    return this.o.outcomeOf(ended);
  }

  #refuse(reason: 'BREAKER_OPEN' | 'ISOLATED', retryAfterMs: number | null): Promise<never> {
    this.#refused += 1;
    this.s.emit({ type: 'refused', name: this.s.name, at: this.s.clock.now(), reason });
    return Promise.reject(new PipelineRefused(this.s.name, reason, retryAfterMs));
  }

  #closed(cause: string | null): Closed {
    const now = this.s.clock.now();
    const { window, minimum, failureRate, slowRate, slowAfter } = this.o;
    const trip = (bad: 'failures' | 'slow', words: string) => (): void => {
      if (this.#state !== state) return;
      const counted = this.#countedIn(state);
      this.#open(
        this.o.openFor,
        `${counted[bad]} of ${counted.calls} calls ${words} within ${seconds(window)}`,
      );
    };
    const state: Closed = {
      is: 'CLOSED',
      since: now,
      cause,
      failed: new OutcomeWindow({ window, minimum, rate: failureRate }, now, trip('failures', 'failed')),
      slow: new OutcomeWindow(
        { window, minimum, rate: slowRate },
        now,
        trip('slow', `took longer than ${seconds(slowAfter)}`),
      ),
    };
    return state;
  }

  #countedIn({ failed, slow }: Closed): { calls: number; failures: number; slow: number } {
    const now = this.s.clock.now();
    const { calls, bad } = failed.counted(now);
    return { calls, failures: bad, slow: slow.counted(now).bad };
  }

  #open(openFor: number, cause: string): void {
    const cancel = this.s.clock.after(openFor, () => {
      if (this.#state === state) this.#halfOpen(openFor, `open for ${seconds(openFor)}`);
    });
    const state: Open = { is: 'OPEN', since: this.s.clock.now(), cause, openFor, cancel };
    this.#become(state);
  }

  #halfOpen(openFor: number, cause: string): void {
    this.#become({ is: 'HALF_OPEN', since: this.s.clock.now(), cause, openFor, probing: false });
  }

  #become(to: State): void {
    const from = this.#state;
    if (from.is === 'CLOSED') {
      this.#last = this.#countedIn(from);
      from.failed.end();
      from.slow.end();
    }
    if (from.is === 'OPEN') from.cancel();
    this.#state = to;
    this.#refused = 0;
    this.s.emit({
      type: 'breaker-transition',
      name: this.s.name,
      from: from.is,
      to: to.is,
      cause: to.cause ?? '',
      at: to.since,
    });
  }
}

/** An error with `retriable: false` is a definite answer: the dependency works. Every other one is a failure. */
function saidByTheError(ended: Ended): Outcome {
  if (!('error' in ended)) return 'success';
  const { error } = ended;
  const isDefinite =
    typeof error === 'object' && error !== null && 'retriable' in error && error.retriable === false;
  return isDefinite ? 'ignore' : 'failure';
}

const seconds = (milliseconds: number): string => `${milliseconds / 1000} s`;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
