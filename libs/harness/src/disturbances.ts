import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@faultline/testing';
import type { Disturbance } from './disturbed.js';
import { SERVICES, type ServiceName, type System } from './system.js';

export interface Disturbances {
  /** For `startSystem`: without it nothing can be disturbed. */
  readonly serviceEnv: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>;
  /** Sets the service's wall clock so many milliseconds ahead of the machine's, until it is told otherwise. */
  clockAhead(system: System, service: ServiceName, milliseconds: number): Promise<void>;
  /** Lets the service's event loop stand still for so long. Resolves when it does. */
  block(system: System, service: ServiceName, milliseconds: number): Promise<void>;
  close(): void;
}

/** What can go wrong inside a process while it runs: its clock, its event loop. */
export function disturbances(): Disturbances {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-disturbed-'));
  const fileOf = (service: ServiceName): string => join(folder, `${service}.json`);
  const ahead = new Map<ServiceName, number>();
  let nth = 0;

  const tell = async (system: System, service: ServiceName, blockMs: number): Promise<void> => {
    nth += 1;
    const wanted: Disturbance = { nth, clockAheadMs: ahead.get(service) ?? 0, blockMs };
    const file = fileOf(service);
    writeFileSync(file, JSON.stringify(wanted));
    if (!system.process(service).kill('SIGUSR2')) throw new Error(`${service} does not run`);
    await eventually(
      () => {
        const seen = existsSync(`${file}.seen`) ? readFileSync(`${file}.seen`, 'utf8') : 'nothing';
        if (seen !== String(wanted.nth)) throw new Error(`${service} has seen ${seen}, not ${wanted.nth}`);
      },
      { within: 10_000, every: 10 },
    );
  };

  return {
    serviceEnv: Object.fromEntries(
      SERVICES.map((service) => [
        service,
        {
          NODE_OPTIONS: `--import=${new URL('disturbed.js', import.meta.url).href}`,
          FAULTLINE_DISTURBANCE: fileOf(service),
        },
      ]),
    ),
    async clockAhead(system, service, milliseconds) {
      ahead.set(service, milliseconds);
      await tell(system, service, 0);
    },
    block: tell,
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
