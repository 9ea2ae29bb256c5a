import {
  Client,
  endLoads,
  forAWhile,
  observe,
  send,
  SERVICES,
  startLoad,
  startSystem,
  type Observation,
  type Placement,
  type ServiceName,
  type System,
} from '@faultline/harness';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { everyInvariantHolds } from './verdict.js';

// Faults by /chaos, under load, in a running system: what customers are told stays true, and the books agree.
let system: System;
let client: Client;
let observation: Observation;

beforeAll(async () => {
  system = await startSystem('faults', {
    env: { FAULTLINE_CHAOS: 'on' },
    // Prices that are a second old must be read again: whoever asks for them meets what is wrong at inventory.
    serviceEnv: { order: { CATALOGUE_FRESH_SECONDS: '1' } },
  });
  observation = await observe(system);
  client = new Client(system.urls);
}, 120_000);
afterEach(async () => {
  endLoads();
  for (const service of SERVICES) await heal(service);
});
afterAll(async () => {
  await observation?.stop();
  await system?.stop();
});

interface Fault {
  readonly at: string;
  readonly kind: string;
  readonly rate?: number;
  readonly milliseconds?: number;
}

const authorization = (): Record<string, string> => ({ authorization: `Bearer ${system.token}` });

async function inject(service: ServiceName, fault: Fault): Promise<void> {
  const name = `${fault.at}-${fault.kind}`;
  const answer = await send(`${system.urls[service]}/chaos/faults/${name}`, {
    method: 'PUT',
    headers: authorization(),
    body: fault,
  });
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
}

/** Ends the faults of a service and answers how often each had struck. */
async function heal(service: ServiceName): Promise<Readonly<Record<string, number>>> {
  const answer = await send(`${system.urls[service]}/chaos/faults`, {
    method: 'DELETE',
    headers: authorization(),
  });
  const { items } = answer.json() as { items: { name: string; struck: number }[] };
  return Object.fromEntries(items.map(({ name, struck }) => [name, struck]));
}

/** Three seconds of orders; then what was wrong may be mended, and every key gets its definite answer. */
async function underLoad<T>(seed: number, mend: () => Promise<T>): Promise<[readonly Placement[], T]> {
  const load = startLoad(client, { rate: 15, seed });
  await forAWhile(3000);
  const mended = await mend();
  return [await load.stop(), mended];
}

it('duplicates and delays on every message', async () => {
  for (const service of SERVICES) {
    await inject(service, { at: 'produce', kind: 'duplicate' });
    await inject(service, { at: 'consume', kind: 'duplicate' });
    await inject(service, { at: 'consume', kind: 'latency', milliseconds: 100 });
  }
  const [placements] = await underLoad(11, async () => undefined);
  await client.allEnded(30_000);
  expect(placements.length).toBeGreaterThan(10);
  for (const service of SERVICES) {
    const struck = await heal(service);
    expect(Object.keys(struck).sort()).toEqual(['consume-duplicate', 'consume-latency', 'produce-duplicate']);
    for (const times of Object.values(struck)) expect(times).toBeGreaterThan(5);
  }
  await everyInvariantHolds(system, client, observation);
});

it('commits of the order service whose answers are lost: repeated keys find what was accepted', async () => {
  await inject('order', { at: 'database', kind: 'commit-unknown', rate: 0.3 });
  const [placements, struck] = await underLoad(22, () => heal('order'));
  expect(struck['database-commit-unknown']).toBeGreaterThan(5);
  const doubtful = placements.filter(({ answers }) => answers.includes('500'));
  expect(doubtful.length).toBeGreaterThan(0);
  for (const { outcome } of doubtful) expect(outcome).toEqual({ accepted: expect.any(String) });
  await everyInvariantHolds(system, client, observation);
});

it('errors of inventory towards everybody who asks it: orders go on with the prices that are kept', async () => {
  await inject('inventory', { at: 'http-in', kind: 'error' });
  const [placements, struck] = await underLoad(33, () => heal('inventory'));
  expect(struck['http-in-error']).toBeGreaterThan(3);
  expect(placements.filter(({ order }) => order?.priceSource === 'cached').length).toBeGreaterThan(5);
  expect(placements.filter(({ outcome }) => outcome && 'refused' in outcome)).toEqual([]);
  await everyInvariantHolds(system, client, observation);
});
