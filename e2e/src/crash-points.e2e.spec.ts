import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Client,
  crashPointPatches,
  crashPoints,
  type HarnessSystem,
  type Observation,
  observe,
  type Occasion,
  startSystem,
} from '@faultline/harness';
import { everyInvariantHolds } from './verdict.js';

const long = process.env['FAULTLINE_LONG'] === '1';
const oneMug = [{ sku: 'mug', quantity: 1 }];

describe('a process that ends itself at a crash point', () => {
  let system: HarnessSystem;
  let client: Client;
  let observation: Observation;

  beforeAll(async () => {
    system = await startSystem('crash-points', {
      patches: [
        ...crashPointPatches,
        // Due work repeats a silent command soon, so that the points in it need no ten seconds each.
        {
          file: 'libs/transactions/saga/dist/decide.js',
          find: 'Math.min(10_000 *',
          replace: 'Math.min(1_000 *',
        },
      ],
    });
    client = new Client(system.urls);
    observation = await observe(system);
  });
  afterAll(async () => {
    await observation?.stop();
    await system?.stop();
  });

  /** Makes the service pass there; answers what has to be done afterwards. */
  async function bringAbout(occasion: Occasion): Promise<() => Promise<unknown>> {
    switch (occasion) {
      case 'approved order': {
        const placed = client.place({ customerId: 'customer-1', lines: oneMug });
        return () => placed;
      }
      case 'rejected order': {
        const placed = client.place({ customerId: 'customer-poor', lines: oneMug });
        return () => placed;
      }
      case 'deposit': {
        const done = client.deposit('customer-1', 700);
        return () => done;
      }
      case 'delivery': {
        const done = client.deliver('mug', 3);
        return () => done;
      }
      case 'silence': {
        await system.process('payment').stop({ signal: 'SIGKILL' });
        await client.place({ customerId: 'customer-1', lines: oneMug });
        return () => system.process('payment').start();
      }
    }
  }

  const hits = crashPoints.flatMap(({ name, passes }) =>
    (long ? passes : passes.slice(0, 1)).map(({ service, on, pass }) => ({ name, service, on, pass })),
  );
  it.each(hits)(
    '$name, pass $pass of $service, on $on: all ends right',
    async ({ name, service, on, pass }) => {
      await system.whenReady();
      const crash = system.crashAt(service, name, { pass });
      const after = await bringAbout(on);
      await crash.struck();
      await after();
      await client.allEnded(60_000);
    },
  );

  it('every invariant holds after all of them', async () => {
    await system.whenReady();
    await everyInvariantHolds(system, client, observation);
    const rejected = client.accepted.filter(({ order }) => order.status === 'REJECTED');
    expect(rejected.map(({ body }) => body.customerId)).toEqual(rejected.map(() => 'customer-poor'));
  });
});
