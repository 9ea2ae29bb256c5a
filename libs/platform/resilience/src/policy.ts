import type { Clock } from './clock.js';
import type { ResilienceEvent } from './events.js';

/** One call on its way inwards through the policies; each hands on what it has changed. */
export interface Way {
  /** Which attempt it is; 1 is the first. */
  readonly number: number;
  /** Milliseconds since the epoch; Infinity when there is none. */
  readonly deadline: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Told of work that may go on although its caller has been answered: it keeps its slot until it has ended. */
  holds(work: Promise<unknown>): void;
}

export type Next<T> = (way: Way) => Promise<T>;

/** A policy at work for one dependency. */
export interface Running {
  around<T>(way: Way, next: Next<T>): Promise<T>;
}

/** What a policy is given when its pipeline is made. */
export interface Surroundings {
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  emit(event: ResilienceEvent): void;
}

/** A policy as it is written in a pipeline: its settings, and how to set it to work. */
export interface Policy<Kind extends string, Works extends Running = Running> {
  readonly kind: Kind;
  begin(surroundings: Surroundings): Works;
}

/** Throws a RangeError that names the setting. */
export function demand(holds: boolean, what: string): void {
  if (!holds) throw new RangeError(what);
}
