import { forAWhile } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect, it } from '@jest/globals';
import { inDatabase, long, said, services, type Stage } from './stage.js';

/** Processes that stand still for a while, and do not know it. */
export function pauses(stage: () => Stage): void {
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
    const told = await client.during({ rate: 10, seed: 53 }, () =>
      inDatabase(stage(), 'inventory', async (sql) => {
        const leases = async (): Promise<Lease[]> =>
          (
            await sql.query<Lease>(
              `SELECT fence::int, until <= clock_timestamp() AS ended, clock_timestamp() AS now FROM relay_lease`,
            )
          ).rows;
        const before = Math.max(...(await leases()).map(({ fence }) => fence));
        system.freeze('inventory');
        let until = Infinity;
        try {
          await eventually(async () => expect((await leases()).every(({ ended }) => ended)).toBe(true), {
            within: 10_000,
            every: 100,
          });
          const taken = await sql.query<{ until: Date }>(
            `UPDATE relay_lease SET owner = 'another', fence = $1, until = clock_timestamp() + interval '3 seconds'
             RETURNING until`,
            [before + 1],
          );
          until = Math.max(...taken.rows.map((lease) => lease.until.getTime()));
        } finally {
          system.thaw('inventory');
        }
        const regained = await eventually(
          async () => {
            const now = await leases();
            expect(now.map(({ fence }) => fence)).toEqual(now.map(() => before + 2));
            return now;
          },
          { within: 10_000, every: 50 },
        );
        // It waited for the other's lease to end.
        expect(Math.min(...regained.map(({ now }) => now.getTime()))).toBeGreaterThanOrEqual(until);
      }),
    );
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  if (long) longPauses(stage);
}

interface Lease {
  readonly fence: number;
  readonly ended: boolean;
  /** By the database's clock. */
  readonly now: Date;
}

/** Longer than the session of a consumer, 10 s: packages show the same in their integration tests. */
function longPauses(stage: () => Stage): void {
  it('inventory takes longer for a batch than its session lasts: it stays in its group, and nothing comes twice', async () => {
    const { client, allIsWell } = stage();
    const joined = said(stage(), 'inventory', 'consumer joined');
    const refused = said(stage(), 'inventory', 'offsets not committed');
    const told = await client.during({ rate: 10, seed: 54 }, () =>
      inDatabase(stage(), 'inventory', async (sql) => {
        await sql.query('BEGIN; LOCK TABLE stock IN SHARE ROW EXCLUSIVE MODE');
        await forAWhile(12_000);
        await sql.query('ROLLBACK');
      }),
    );
    expect(told.except('accepted')).toEqual([]);
    expect(said(stage(), 'inventory', 'consumer joined')).toBe(joined);
    expect(said(stage(), 'inventory', 'offsets not committed')).toBe(refused);
    await allIsWell();
  });

  it('inventory is frozen past its session in the middle of a batch: the group moves on, and the batch takes effect once', async () => {
    const { system, client, allIsWell } = stage();
    const joined = said(stage(), 'inventory', 'consumer joined');
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
    expect(said(stage(), 'inventory', 'consumer joined')).toBeGreaterThan(joined);
  });
}
