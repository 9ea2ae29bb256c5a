import type { RequestHandler } from '@faultline/http-server';
import type { ProcessSettings } from '@faultline/service/process';
import type { Log } from '@faultline/telemetry';
import type { DynamicModule } from '@nestjs/common';
import { ChaosModule } from './chaos.module.js';
import { type Clock, Faults } from './faults.js';
import { requestsThrough } from './http-in.js';
import { offersOf, type Place } from './offers.js';
import { telling } from './telling.js';

type ChaosSettings = Pick<ProcessSettings, 'FAULTLINE_CHAOS'>;

/** What chaos adds to a process that has nothing but HTTP; nothing when it is off. */
export interface ChaosAround {
  readonly modules: readonly DynamicModule[];
  /** What every request meets first. */
  readonly before: readonly RequestHandler[];
}

/** Chaos as it stands around one process. */
export interface Chaos extends ChaosAround {
  readonly faults: Faults;
  /** Tells of a dependency that the process calls: faults can then be injected into the calls. */
  calls(dependency: string): void;
}

/**
 * What stands around a process with nothing but HTTP: faults to be injected while the setting FAULTLINE_CHAOS is `on`, and
 * nothing otherwise.
 */
export function chaosAround(service: string, settings: ChaosSettings, log: Log): ChaosAround {
  return openChaos(service, settings, log, ['http-in', 'process']) ?? { modules: [], before: [] };
}

/** Undefined while chaos is off. */
export function openChaos(
  service: string,
  { FAULTLINE_CHAOS: setting }: ChaosSettings,
  log: Log,
  places: readonly Place[],
): Chaos | undefined {
  if (setting === 'off') return undefined;
  const faults = new Faults({ clock, random: Math.random, onStrike: telling(log) });
  const dependencies = new Set<string>();
  const { before, filtered } = requestsThrough(faults);
  log.warn({}, 'faults can be injected here');
  return {
    faults,
    calls: (dependency) => void dependencies.add(dependency),
    before: [before],
    modules: [
      ChaosModule.register({
        service,
        faults,
        filtered,
        offers: () => offersOf(places, [...dependencies]),
      }),
    ],
  };
}

const clock: Clock = {
  // Kept from going back: what is measured are distances.
  now: () => performance.timeOrigin + performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};
