import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  GATEWAY,
  SERVICES,
  startSystem as start,
  type Ports,
  type ServiceName,
  type System,
  type SystemOptions,
} from '@faultline/local/system';
import { eventually } from '@faultline/testing';
import type { Patch } from './patching/patch.js';

export {
  GATEWAY,
  SERVICES,
  type GatewayName,
  type Ports,
  type ProcessName,
  type ReplicaName,
  type ServiceName,
  type System,
} from '@faultline/local/system';

export interface HarnessOptions extends Partial<Omit<SystemOptions, 'folder'>> {
  /** What reads otherwise in the built services of this system: see patching/patch.ts. An empty list for patchBuild alone. */
  readonly patches?: readonly Patch[];
}

/** A system of the harness: it can also be told where a process shall end itself. */
export interface HarnessSystem extends System {
  /**
   * Arms a crash point that `patches` put into the service: the process ends as by kill -9 when it passes there for the
   * n-th time from now. `struck` resolves when it has; it throws when that takes longer than `within` milliseconds.
   */
  crashAt(
    service: ServiceName,
    point: string,
    options?: { readonly pass?: number },
  ): { struck(within?: number): Promise<void> };
  /** From its next start on the service reads otherwise there, and nowhere else. Only in a system that was given `patches`. */
  patchBuild(service: ServiceName, patches: readonly Patch[]): void;
  /** Ends it. Its folder, with data and logs, is removed unless it shall be kept or FAULTLINE_KEEP_LOGS is set. */
  stop(how?: { readonly keep?: boolean }): Promise<void>;
}

const folderOf = (name: string): string =>
  join(fileURLToPath(new URL('../../../.faultline/harness', import.meta.url)), `${name}-${process.pid}`);

/** A whole system of its own on free ports, with demo data. */
export async function startSystem(
  name: string,
  { patches, serviceEnv = {}, ...options }: HarnessOptions = {},
): Promise<HarnessSystem> {
  const folder = folderOf(name);
  const patching = join(folder, 'patches');
  mkdirSync(patching, { recursive: true });
  const patchFile = (service: ServiceName): string => join(patching, `patches-${service}.json`);
  const patchBuild = (service: ServiceName, list: readonly Patch[]): void =>
    writeFileSync(patchFile(service), JSON.stringify(list));
  for (const service of SERVICES) patchBuild(service, patches ?? []);
  const crashFile = (service: ServiceName): string => join(patching, `crash-${service}.json`);
  const register = new URL('patching/register.js', import.meta.url).href;
  const system = await start({
    folder,
    fresh: true,
    ...options,
    ...(patches === undefined
      ? { serviceEnv }
      : {
          serviceEnv: {
            ...serviceEnv,
            ...Object.fromEntries(
              SERVICES.map((service) => [
                service,
                {
                  NODE_OPTIONS: `--import=${register}`,
                  FAULTLINE_PATCHES: patchFile(service),
                  FAULTLINE_CRASH_FILE: crashFile(service),
                  ...serviceEnv[service],
                },
              ]),
            ),
          },
        }),
  });
  return {
    ...system,
    patchBuild,
    crashAt(service, point, { pass = 1 } = {}) {
      const file = crashFile(service);
      rmSync(`${file}.struck`, { force: true });
      writeFileSync(file, JSON.stringify({ point, pass }));
      return {
        async struck(within = 20_000) {
          await eventually(
            () => {
              if (!existsSync(`${file}.struck`)) throw new Error(`${service} has not passed ${point}`);
            },
            { within, every: 20 },
          );
        },
      };
    },
    async stop({ keep = Boolean(process.env['FAULTLINE_KEEP_LOGS']) } = {}) {
      await system.stop();
      if (!keep) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ports for a system whose addresses must be known before it starts. */
export async function choosePorts(): Promise<Ports> {
  const names = ['order', 'payment', 'inventory', GATEWAY, 'postgres', 'kafka', 'kafkaController'] as const;
  const servers = await Promise.all(
    names.map(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as unknown as Ports;
}
