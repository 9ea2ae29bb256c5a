import { forAWhile } from '@faultline/harness';
import { expect, it } from '@jest/globals';
import { aMug, long, said, services, type Stage } from './stage.js';

const quarter = 15 * 60 * 1000;

/** Whoever's clock is wrong decides by its database's. */
export function wrongClocks(stage: () => Stage): void {
  it.each(services)(
    "%s's clock is 15 minutes ahead: deadlines, leases and due times are the database's",
    async (service) => {
      const { system, client, disturb, allIsWell } = stage();
      try {
        const told = await client.during({ rate: 10, seed: 51 }, async () => {
          await disturb.clockAhead(system, service, quarter);
          const { order } = await client.place(aMug, { prefer: 'wait=20' });
          expect(order?.status).toBe('APPROVED');
          expect(Date.parse(order?.deadline ?? '') - Date.parse(order?.createdAt ?? '')).toBe(120_000);
          expect(Math.abs(Date.parse(order?.createdAt ?? '') - Date.now())).toBeLessThan(60_000);
          await forAWhile(500);
        });
        expect(told.except('accepted')).toEqual([]);
      } finally {
        await disturb.clockAhead(system, service, 0);
      }
      await allIsWell();
    },
  );

  it("an order that waits for payment while order's clock is 15 minutes ahead is not timed out", async () => {
    const { system, client, disturb, allIsWell } = stage();
    await disturb.clockAhead(system, 'order', quarter);
    await system.process('payment').stop();
    try {
      const { order } = await client.place(aMug);
      // Due work is looked for every second.
      await forAWhile(2500);
      expect((await client.get(order?.orderId ?? '')).status).toBe('PENDING');
    } finally {
      await system.process('payment').start();
      await disturb.clockAhead(system, 'order', 0);
    }
    await allIsWell();
  });

  if (long)
    it("order's clock is set back by 15 minutes: its consumer stays in its group, and commits its offsets", async () => {
      const { system, client, disturb, allIsWell } = stage();
      await disturb.clockAhead(system, 'order', quarter);
      await client.place(aMug, { prefer: 'wait=20' });
      await forAWhile(4000);
      await disturb.clockAhead(system, 'order', 0);
      // Nothing is to be committed meanwhile: only heartbeats keep the membership, whose session is 10 s.
      await forAWhile(13_000);
      const before = said(stage(), 'order', 'offsets not committed');
      const told = await client.during({ rate: 10, seed: 56 }, () => forAWhile(3000));
      expect(told.except('accepted')).toEqual([]);
      expect(said(stage(), 'order', 'offsets not committed')).toBe(before);
      await allIsWell();
    });
}
