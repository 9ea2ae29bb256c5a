import { forAWhile, send } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect, it } from '@jest/globals';
import { aMug, long, type Stage } from './stage.js';

/** Must be the first: afterwards there is a broker. */
export function startWithoutBroker(stage: () => Stage): void {
  it('the broker is absent at the start: an order is accepted, and decided once there is one', async () => {
    const { client, startBroker, allIsWell } = stage();
    const { order, answers } = await client.place(aMug);
    expect(answers).toEqual(['202']);
    expect(order?.status).toBe('PENDING');
    await startBroker();
    await eventually(async () => expect((await client.get(order?.orderId ?? '')).status).toBe('APPROVED'), {
      within: 20_000,
    });
    await allIsWell();
  });
}

/** Clients notice nothing of a broker's outage: orders are accepted all the while, and decided after it. */
export function brokerOutages(stage: () => Stage): void {
  it('the broker is slow: orders are decided slowly, and each once', async () => {
    const { client, broker, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 21 }, async () => {
      broker.delay(400);
      const { order } = await client.place(aMug, { prefer: 'wait=30' });
      expect(order?.status).toBe('APPROVED');
      await forAWhile(long ? 20_000 : 2000);
      broker.delay(0);
    });
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  it('the broker is stopped: orders are taken all the while, and decided after it', async () => {
    const { system, client, startBroker, stopBroker, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 22 }, async () => {
      await stopBroker();
      const during = await client.place(aMug);
      await forAWhile(long ? 30_000 : 4000);
      expect((await send(`${system.urls.order}/health/ready`)).status).toBe(200);
      expect((await client.get(during.order?.orderId ?? '')).status).toBe('PENDING');
      await startBroker();
    });
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  it('the broker is frozen: orders are taken all the while, and decided after it', async () => {
    const { system, client, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 23 }, async () => {
      system.freeze('kafka');
      try {
        const during = await client.place(aMug);
        // Beyond ten seconds requests to it are given up, and connections are made anew.
        await forAWhile(long ? 20_000 : 4000);
        expect((await client.get(during.order?.orderId ?? '')).status).toBe('PENDING');
      } finally {
        system.thaw('kafka');
      }
    });
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });
}
