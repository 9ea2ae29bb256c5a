import { readFileSync } from 'node:fs';
import { forAWhile } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect, it } from '@jest/globals';
import { aMug, inDatabase, long, services, type Stage } from './stage.js';

const quarter = 15 * 60 * 1000;

/** Processes whose time goes wrong: the clock, or that they are not running for a while. */
export function troubleWithTime(stage: () => Stage): void {
  it.each(services)(
    "%s's clock is 15 minutes ahead: deadlines, leases and due times are the database's",
    async (service) => {
      const { system, client, disturb, allIsWell } = stage();
      const told = await client.during({ rate: 10, seed: 51 }, async () => {
        await disturb.clockAhead(system, service, quarter);
        const { order } = await client.place(aMug, { prefer: 'wait=20' });
        expect(order?.status).toBe('APPROVED');
        expect(Date.parse(order?.deadline ?? '') - Date.parse(order?.createdAt ?? '')).toBe(120_000);
        expect(Math.abs(Date.parse(order?.createdAt ?? '') - Date.now())).toBeLessThan(60_000);
        await forAWhile(1000);
      });
      expect(told.except('accepted')).toEqual([]);
      await disturb.clockAhead(system, service, 0);
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

  it('every event loop is blocked for 5 s: leases and sessions are kept or taken again, and every order ends', async () => {
    const { system, client, disturb, allIsWell } = stage();
    const told = await client.during({ rate: 20, seed: 52 }, async () => {
      await Promise.all(services.map((service) => disturb.block(system, service, 5000)));
      await forAWhile(5000);
    });
    expect(told.except('accepted', 'refused')).toEqual([]);
    await allIsWell();
  });

  it('a relay is stopped by SIGSTOP past its lease, which another takes: it publishes again only with a new fence', async () => {
    const { system, client, allIsWell } = stage();
    const fence = 'SELECT max(fence)::int AS fence, count(*)::int AS leases FROM relay_lease';
    const told = await client.during({ rate: 10, seed: 53 }, async () => {
      system.freeze('inventory');
      try {
        await inDatabase(stage(), 'inventory', async (sql) => {
          const before = (await sql.query<{ fence: number }>(fence)).rows[0]?.fence ?? 0;
          const taken = await eventually(
            async () => {
              const { rowCount } = await sql.query(
                `UPDATE relay_lease SET owner = 'another', fence = $1, until = clock_timestamp() + interval '2 seconds'
                 WHERE until <= clock_timestamp()`,
                [before + 1],
              );
              expect(rowCount).toBe(3);
              return rowCount;
            },
            { within: 10_000, every: 100 },
          );
          expect(taken).toBe(3);
          system.thaw('inventory');
          await eventually(
            async () => expect((await sql.query<{ fence: number }>(fence)).rows[0]?.fence).toBe(before + 2),
            { within: 10_000 },
          );
        });
      } finally {
        system.thaw('inventory');
      }
    });
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  if (long) longTroubleWithTime(stage);
}

/** Longer than the session of a consumer, 10 s: packages show the same in their integration tests. */
function longTroubleWithTime(stage: () => Stage): void {
  it("order's clock is set back by 15 minutes: its consumer stays in its group, and commits its offsets", async () => {
    const { system, client, disturb, allIsWell } = stage();
    await disturb.clockAhead(system, 'order', quarter);
    await client.place(aMug, { prefer: 'wait=20' });
    await forAWhile(4000);
    await disturb.clockAhead(system, 'order', 0);
    // Nothing is to be committed meanwhile: only heartbeats keep the membership, whose session is 10 s.
    await forAWhile(13_000);
    const before = readFileSync(system.log('order'), 'utf8').length;
    const told = await client.during({ rate: 10, seed: 56 }, () => forAWhile(3000));
    expect(told.except('accepted')).toEqual([]);
    expect(readFileSync(system.log('order'), 'utf8').slice(before)).not.toContain('offsets not committed');
    await allIsWell();
  });

  it('inventory takes longer for a batch than its session lasts: it stays in its group, and nothing comes twice', async () => {
    const { client, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 54 }, () =>
      inDatabase(stage(), 'inventory', async (sql) => {
        await sql.query('BEGIN; LOCK TABLE stock IN SHARE ROW EXCLUSIVE MODE');
        await forAWhile(12_000);
        await sql.query('ROLLBACK');
      }),
    );
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  it('inventory is frozen past its session in the middle of a batch: the group moves on, and the batch takes effect once', async () => {
    const { system, client, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 55 }, () =>
      inDatabase(stage(), 'inventory', async (sql) => {
        await sql.query('BEGIN; LOCK TABLE stock IN SHARE ROW EXCLUSIVE MODE');
        await forAWhile(1000);
        system.freeze('inventory');
        try {
          await sql.query('ROLLBACK');
          await forAWhile(13_000);
        } finally {
          system.thaw('inventory');
        }
      }),
    );
    expect(told.except('accepted', 'refused')).toEqual([]);
    await allIsWell();
  });
}
