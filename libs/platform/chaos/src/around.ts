import type { RequestHandler } from '@faultline/http-server';
import { BadSettings } from '@faultline/service/process';
import type { Log } from '@faultline/telemetry';
import type { DynamicModule } from '@nestjs/common';
import { ChaosModule } from './chaos.module.js';
import { type Clock, Faults } from './faults.js';
import { requestsThrough } from './http-in.js';
import { offersOf, type Place } from './offers.js';
import { telling } from './telling.js';

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
 * What the setting FAULTLINE_CHAOS (`on`; off when it is not set) puts around a process with nothing but HTTP. Throws
 * BadSettings for any other value.
 */
export function chaosAround(service: string, env: NodeJS.ProcessEnv, log: Log): ChaosAround {
  return openChaos(service, env, log, ['http-in', 'process']) ?? { modules: [], before: [] };
}

/** Undefined while chaos is off. */
export function openChaos(
  service: string,
  env: NodeJS.ProcessEnv,
  log: Log,
  places: readonly Place[],
): Chaos | undefined {
  const setting = env['FAULTLINE_CHAOS'] || 'off';
  if (setting !== 'on' && setting !== 'off') throw new BadSettings('FAULTLINE_CHAOS must be on or off');
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
