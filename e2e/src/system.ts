import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  startSystem as start,
  type Ports,
  type System,
  type SystemOptions,
} from '../../infra/local/system.mjs';

export type { Ports, ServiceName, System } from '../../infra/local/system.mjs';

const folderOf = (name: string): string =>
  join(fileURLToPath(new URL('../../.faultline/e2e', import.meta.url)), `${name}-${process.pid}`);

/**
 * A whole system of its own on free ports, with demo data. `stop` removes its data; its logs are kept when
 * FAULTLINE_KEEP_LOGS is set.
 */
export async function startSystem(
  name: string,
  options: Partial<Omit<SystemOptions, 'folder'>> = {},
): Promise<System> {
  const folder = folderOf(name);
  const system = await start({ folder, fresh: true, ...options });
  return {
    ...system,
    async stop() {
      await system.stop();
      if (!process.env['FAULTLINE_KEEP_LOGS']) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ports for a system whose addresses must be known before it starts. */
export async function choosePorts(): Promise<Ports> {
  const names = ['order', 'payment', 'inventory', 'postgres', 'kafka', 'kafkaController'] as const;
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
