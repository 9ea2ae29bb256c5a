import type { Client } from '../client.js';
import type { Databases } from '../databases.js';
import type { Patch } from '../patching/patch.js';
import type { HarnessSystem, ServiceName } from '../system.js';
import type { Barrier } from './barrier.js';

/** One protection as the code has it, and the patches that take it out of a build. */
export interface Protection {
  /** In words: "the inbox's primary key". */
  readonly what: string;
  readonly patches: readonly Patch[];
  /** The guard that shows what breaks when only this is missing, where that is something else. */
  readonly neededBy?: string;
  /** Where the database itself protects: what takes that out. */
  readonly sql?: { readonly service: ServiceName; readonly text: string };
}

/** What a schedule works with: a running system, its client, and its processes' strings. */
export interface Stage {
  readonly system: HarnessSystem;
  readonly client: Client;
  readonly databases: Databases;
  /** Closes a barrier that an instrument has put into the service: whoever comes to it waits until it is opened. */
  hold(service: ServiceName, barrier: string): Promise<Barrier>;
  /** Breaks the connection of the order service to its database when the statement that carries this text is committed. */
  loseAnswerOf(text: string): void;
  /** Starts the service anew without the instruments of the guard: the build in which a bug was mended. */
  mend(service: ServiceName): Promise<void>;
}

/**
 * A protection of an invariant, with the schedule that breaks the invariant every time when it is taken out. Two that
 * cover for each other are one guard with two protections: only without both does anything happen.
 */
export interface Guard {
  readonly name: string;
  /** Letters of the invariants that the docs name for it; at least one turns red without it. */
  readonly invariants: readonly string[];
  /** The file that has it, from the project's root. */
  readonly where: string;
  readonly protections: readonly Protection[];
  /** In words: what happens when, to whom. */
  readonly schedule: string;
  /** The services whose build is patched. */
  readonly services: readonly ServiceName[];
  /** Crash points, barriers, shorter times and bugs that the schedule needs, with the guard and without. */
  readonly instruments?: readonly Patch[];
  /** Runs the schedule, with the guard or without: it cannot tell. */
  run(stage: Stage): Promise<void>;
  /** What the audit finds with the guard in place because the schedule wants it so: a dead letter that was redriven. */
  readonly expected?: RegExp;
  /**
   * How long the audit waits for orders to end, with the guard and without, in milliseconds: shorter than usual where
   * they cannot without it, and longer than the ten seconds after which a saga first repeats itself.
   */
  readonly patience?: number;
}

/** What the audit found, with the guard in place and without. */
export interface Demonstration {
  readonly withGuard: string[];
  readonly without: string[];
}
