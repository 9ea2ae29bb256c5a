import { FakeClock } from '@faultline/resilience/testing';
import type { Facts, Fault } from './fault.js';
import { Faults, type Strike } from './faults.js';

/** A fault that always strikes, for a minute, unless told otherwise. */
export function aFault(about: Partial<Fault> & Pick<Fault, 'at' | 'kind'>): Fault {
  return { name: 'a-fault', rate: 1, ttlSeconds: 60, ...about };
}

/** Faults by a clock that stands still until it is told to go on, and with these lots, the last one for ever. */
export function faultsForTests(...lots: readonly number[]): {
  readonly faults: Faults;
  readonly clock: FakeClock;
  readonly told: { readonly name: string; readonly concerned: readonly Facts[] }[];
} {
  const clock = new FakeClock();
  const told: { name: string; concerned: readonly Facts[] }[] = [];
  const left = [...lots];
  let lot = 0;
  const faults = new Faults({
    clock,
    random: () => (lot = left.shift() ?? lot),
    onStrike: ({ fault }: Strike, concerned) => void told.push({ name: fault.name, concerned }),
  });
  return { faults, clock, told };
}
