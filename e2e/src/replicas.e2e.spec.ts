import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  Client,
  endLoads,
  forAWhile,
  type HarnessSystem,
  type Load,
  observe,
  type Observation,
  type OrderBody,
  type ReplicaName,
  send,
  SERVICES,
  startLoad,
  startSystem,
} from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { freezing } from './replicas/freezing.js';
import { machinePace } from './replicas/machine-pace.js';
import { type Work, workOf } from './replicas/work.js';
import { everyInvariantHolds } from './verdict.js';

const say = (line: string): void => void process.stderr.write(`    ${line}\n`);
const aMug: OrderBody = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };
const first: readonly ReplicaName[] = SERVICES;
const second = SERVICES.map((service): ReplicaName => `${service}-2`);

/** 12 s: a lease ends after 5 s, a session after 10 s, and a neighbour looks once a second. */
const takeOver = { waiting: 11_000, working: 1000 };

const frozen = freezing(second);
let system: HarnessSystem;
let client: Client;
let observation: Observation;
let pace: Awaited<ReturnType<typeof machinePace>>;

beforeAll(async () => {
  system = await startSystem('replicas', {
    replicas: 2,
    patches: frozen.patches,
    serviceEnv: frozen.serviceEnv,
  });
  observation = await observe(system);
  client = new Client(system.urls, (service) => system.replicaUrls(service));
});
beforeEach(async () => {
  pace = await machinePace();
});
afterEach(endLoads);
afterAll(async () => {
  await observation?.stop();
  await system?.stop();
  frozen.close();
});

const urlOf = (name: ReplicaName): string => {
  const service = SERVICES.find((each) => name.startsWith(each)) ?? 'order';
  return system.replicaUrls(service)[system.replicas(service).indexOf(name)] ?? '';
};
const work = (name: ReplicaName): Promise<Work> => workOf(urlOf(name));

/** Both replicas of each service consume and publish, and between them everything. */
const fairlyShared = (within: number): Promise<void> =>
  eventually(
    async () => {
      for (const [index, name] of first.entries()) {
        const pair = [await work(name), await work(second[index] ?? name)];
        for (const share of [pair.map(({ consumes }) => consumes), pair.map(({ publishes }) => publishes)])
          expect({ name, share: share.toSorted((a, b) => a - b) }).toEqual({ name, share: [1, 2] });
      }
    },
    { within, every: 100 },
  );

/**
 * Measures how long it takes until it holds of each: `waiting` is for timers that run out, in milliseconds, `working`
 * for what a busy machine does slower.
 */
async function measured(
  what: string,
  names: readonly ReplicaName[],
  { waiting, working }: { readonly waiting: number; readonly working: number },
  holds: (name: ReplicaName) => Promise<void>,
): Promise<void> {
  const begun = performance.now();
  const took = await Promise.all(
    names.map(async (name) => {
      await eventually(() => holds(name), { within: 60_000, every: 50 });
      return Math.round(performance.now() - begun);
    }),
  );
  const slowness = await pace.slowness();
  say(`${what} after ${took.join(', ')} ms; this machine is ${slowness.toFixed(1)} times as slow as usual`);
  for (const each of took) expect(each).toBeLessThan(waiting + working * slowness);
}

const allIsWell = async (load?: Load): Promise<void> => {
  await load?.stop();
  await everyInvariantHolds(system, client, observation);
};

it('both replicas have a share, and whoever waits at either of them is told when the order is decided', async () => {
  await fairlyShared(20_000);
  for (const url of system.replicaUrls('order')) {
    const there = new Client({ ...system.urls, order: url });
    const placed = await Promise.all(
      Array.from({ length: 12 }, () => there.place(aMug, { prefer: 'wait=20' })),
    );
    expect(placed.map(({ answers }) => answers.join())).toEqual(placed.map(() => '200'));
    for (const [key, placement] of there.placements) client.placements.set(key, placement);
    // A stream at the other one tells of it, too, to its end.
    const elsewhere = system.replicaUrls('order').find((other) => other !== url) ?? url;
    const { order } = await client.place(aMug);
    const stream = await send(`${elsewhere}/orders/${order?.orderId}/stream`, { within: 20_000 });
    expect(stream.text).toContain('"settlement":"SETTLED"');
  }
});

it('one of each is killed with -9: what comes back works on within 2 s, and everything in flight is decided', async () => {
  const load = startLoad(client, { rate: 20, seed: 81 });
  await forAWhile(1500);
  for (const name of second) expect(system.process(name).kill('SIGKILL')).toBe(true);
  await Promise.all(second.map((name) => system.process(name).exited));
  // However long a start takes on this machine: its leases have not ended by then, and it need not wait for their end.
  for (const service of SERVICES)
    await observation.databases.read(
      service,
      `UPDATE relay_lease SET until = clock_timestamp() + interval '60 s' WHERE owner = $1`,
      [`${service}-2`],
    );
  await eventually(
    async () => {
      for (const name of second) expect((await send(`${urlOf(name)}/health/ready`)).status).toBe(200);
    },
    { within: 60_000, every: 20 },
  );
  await measured('consume and publish again', second, { waiting: 0, working: 2000 }, async (name) => {
    const { consumed, published } = await work(name);
    expect(consumed).toBeGreaterThan(0);
    expect(published).toBeGreaterThan(0);
  });
  await allIsWell(load);
});

it('one of each is killed and stays dead: its neighbour has taken over everything within 12 s, and all orders end', async () => {
  const load = startLoad(client, { rate: 20, seed: 82 });
  await forAWhile(1000);
  // No restart: what is stopped is not wanted any more.
  await Promise.all(second.map((name) => system.process(name).stop({ signal: 'SIGKILL' })));
  await measured('everything taken over', first, takeOver, async (name) => {
    expect(await work(name)).toMatchObject({ consumes: 3, publishes: 3 });
  });
  await forAWhile(500);
  await allIsWell(load);
  await Promise.all(second.map((name) => system.process(name).start()));
  await fairlyShared(30_000);
});

it('one of each is frozen past lease and session, with rows published and not deleted: no fence, no order is broken when it wakes', async () => {
  const load = startLoad(client, { rate: 20, seed: 83 });
  await forAWhile(1000);
  await Promise.all(second.map((name) => frozen.freeze(name)));
  try {
    await measured('everything taken over', first, takeOver, async (name) => {
      expect(await work(name)).toMatchObject({ consumes: 3, publishes: 3 });
    });
    await forAWhile(500);
  } finally {
    for (const name of second) system.thaw(name);
  }
  await fairlyShared(30_000);
  for (const name of second)
    expect(readFileSync(system.log(name), 'utf8')).toContain('relay lost a lease while it published');
  await allIsWell(load);
});

it('each stops within its 4.5 s while the broker is frozen', async () => {
  system.freeze('kafka');
  try {
    await client.place(aMug);
    const begun = performance.now();
    await Promise.all(second.map((name) => system.process(name).stop({ within: 20_000 })));
    const took = performance.now() - begun;
    const slowness = await pace.slowness();
    say(
      `stopped after ${Math.round(took)} ms; this machine is ${slowness.toFixed(1)} times as slow as usual`,
    );
    expect(took).toBeLessThan(4500 * slowness);
  } finally {
    system.thaw('kafka');
  }
  await Promise.all(second.map((name) => system.process(name).start()));
  await system.whenReady();
  await allIsWell();
});
