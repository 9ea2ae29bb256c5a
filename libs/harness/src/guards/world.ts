import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openKafka } from '@faultline/messaging';
import { eventually } from '@faultline/testing';
import pg from 'pg';
import { Client } from '../client.js';
import { type DatabaseProxy, databaseProxy } from '../database-proxy.js';
import { type Observation, observe } from '../observation.js';
import type { Patch } from '../patching/patch.js';
import { choosePorts, type HarnessSystem, SERVICES, type ServiceName, startSystem } from '../system.js';
import { allTopics } from '../tap.js';
import { type Barrier, closeBarrier } from './barrier.js';

type Patches = Readonly<Record<ServiceName, readonly Patch[]>>;

/**
 * One Postgres and one broker for many schedules. Each begins with the same data as at a first start, empty topics, and
 * services whose build is patched as it wants: that takes seconds, where a whole new system takes ten.
 */
export interface World {
  readonly system: HarnessSystem;
  /** Ends all services, puts back data and topics, and starts them again. */
  begin(patches: Patches): Promise<{ readonly client: Client; readonly observation: Observation }>;
  /** Starts single services anew on the data as they are. */
  restart(services: readonly ServiceName[], patches: Patches): Promise<void>;
  /** Takes a constraint out of a database. */
  change(service: ServiceName, sql: string): Promise<void>;
  hold(service: ServiceName, barrier: string): Promise<Barrier>;
  loseAnswerOf(text: string): void;
  close(): Promise<void>;
}

/** The processes that run all the time; the second ones are started by the schedules that want them. */
export const firstReplicas = SERVICES.map((service) => `${service}-1` as const);

const spare = (service: ServiceName) => `${service}-2` as const;
const snapshot = (service: ServiceName): string => `clean_${service}`;
const database = (service: ServiceName): string => `faultline_${service}`;

export async function openWorld(): Promise<World> {
  const [ports, second] = await Promise.all([choosePorts(), choosePorts()]);
  const proxy = await databaseProxy(ports.postgres);
  const system = await startWithSpares(proxy, ports, second).catch(async (error: unknown) => {
    await proxy.close();
    throw error;
  });
  const barriers: Barrier[] = [];
  let observation: Observation | undefined;

  const openBarriers = (): Promise<unknown> => Promise.all(barriers.splice(0).map((each) => each.open()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await openBarriers();
    const names = SERVICES.flatMap((service) => [service, spare(service)]);
    for (const name of names) system.thaw(name);
    await Promise.all(names.map((name) => system.process(name).stop({ signal })));
    await observation?.stop();
    observation = undefined;
  };
  const close = async (): Promise<void> => {
    await end('SIGKILL');
    await system.stop();
    await proxy.close();
  };

  try {
    await end('SIGTERM');
    await on(system.postgresUrl, async (client) => {
      for (const service of SERVICES)
        await client.query(`CREATE DATABASE ${snapshot(service)} TEMPLATE ${database(service)}`);
    });
  } catch (error) {
    await close();
    throw error;
  }

  return {
    system,
    async begin(patches) {
      await end('SIGKILL');
      disarm(system);
      await Promise.all([
        deleteTopics(system),
        on(system.postgresUrl, async (client) => {
          for (const service of SERVICES) {
            await client.query(`DROP DATABASE ${database(service)} WITH (FORCE)`);
            await client.query(`CREATE DATABASE ${database(service)} TEMPLATE ${snapshot(service)}`);
          }
        }),
      ]);
      await Promise.all(
        SERVICES.map((service) => {
          system.patchBuild(service, patches[service]);
          return system.process(service).start();
        }),
      );
      await system.whenReady({ names: firstReplicas });
      observation = await observe(system);
      return { client: new Client(system.urls), observation };
    },
    async restart(services, patches) {
      await openBarriers();
      await Promise.all(
        services.map((service) => {
          system.patchBuild(service, patches[service]);
          return system.process(service).restart();
        }),
      );
      await system.whenReady({ names: services.map((service) => `${service}-1` as const) });
    },
    change: (service, sql) =>
      on(system.databaseUrl(service), async (client) => {
        await client.query(sql);
      }),
    async hold(service, name) {
      const held = await closeBarrier(system.databaseUrl(service), name);
      barriers.push(held);
      return held;
    },
    loseAnswerOf: (text) => proxy.breakAt(text, 'after commit'),
    close,
  };
}

/** With a second replica of each service, for the schedules in which one takes over from another. */
function startWithSpares(
  proxy: DatabaseProxy,
  ports: Awaited<ReturnType<typeof choosePorts>>,
  second: Awaited<ReturnType<typeof choosePorts>>,
): Promise<HarnessSystem> {
  return startSystem('guards', {
    patches: [],
    replicas: 2,
    ports: {
      ...ports,
      'order-2': second.order,
      'inventory-2': second.inventory,
      'payment-2': second.payment,
    },
    serviceEnv: {
      order: { DATABASE_URL: `postgres://faultline:faultline@127.0.0.1:${proxy.port}/${database('order')}` },
    },
  });
}

async function on(connectionString: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The services make them anew, and their groups begin at the first record again. */
async function deleteTopics(system: HarnessSystem): Promise<void> {
  const admin = openKafka({ brokers: system.brokers.split(','), clientId: 'harness-guards' }).client.admin();
  await admin.connect();
  try {
    const present = await admin.listTopics();
    const topics = allTopics.filter((topic) => present.includes(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await eventually(
      async () => {
        const left = (await admin.listTopics()).filter((topic) => topics.includes(topic));
        if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`);
      },
      { within: 20_000, every: 50 },
    );
  } finally {
    await admin.disconnect();
  }
}

/** A crash point that a schedule armed and that nobody passed must not strike in the next one. */
function disarm(system: HarnessSystem): void {
  const folder = join(system.folder, 'patches');
  for (const file of readdirSync(folder)) if (file.startsWith('crash-')) rmSync(join(folder, file));
}
