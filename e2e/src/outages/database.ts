import { type Disk, fillableDisk, forAWhile, refusingTables, send, type Answer } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect, it } from '@jest/globals';
import { aMug, inDatabase, long, type Stage } from './stage.js';

/** Clients are told at once, and honestly: 503 and the key is free, or that only the same key can tell. */
export function databaseOutages(stage: () => Stage): void {
  it('Postgres is stopped: clients are refused, and every order ends', async () => {
    const { system, client, allIsWell } = stage();
    const told = await client.during({ rate: 20, seed: 31 }, async () => {
      await system.stopPostgres();
      await forAWhile(long ? 10_000 : 2500);
      await system.startPostgres();
    });
    expect(told.except('accepted', 'refused', 'unknown')).toEqual([]);
    expect(told.count('refused')).toBeGreaterThan(20);
    await allIsWell();
  });

  it('Postgres is killed with -9: every order ends', async () => {
    const { system, client, allIsWell } = stage();
    const told = await client.during({ rate: 20, seed: 32 }, async () => {
      system.process('postgres').kill('SIGKILL');
      await forAWhile(1500);
    });
    expect(told.except('accepted', 'refused', 'unknown')).toEqual([]);
    expect(told.count('refused') + told.count('unknown')).toBeGreaterThan(0);
    await allIsWell();
  });

  it('Postgres is frozen: readers and writers are told so, the process lives, and every order ends', async () => {
    const { system, client, allIsWell } = stage();
    const known = await client.place(aMug);
    const read = (): Promise<Answer>[] =>
      Array.from({ length: 8 }, () =>
        send(`${system.urls.order}/orders/${known.order?.orderId}`, { within: 16_000 }),
      );
    // Some then ask on connections that are open, and some wait for one.
    await Promise.all(read());
    const told = await client.during({ rate: 10, seed: 33 }, async () => {
      system.freeze('postgres');
      try {
        // It answers while the database is still frozen: nobody waits for ever.
        const reads = read();
        await forAWhile(1000);
        expect((await send(`${system.urls.order}/health/live`)).status).toBe(200);
        expect((await send(`${system.urls.order}/health/ready`)).status).toBe(503);
        const answers = await Promise.all(reads);
        expect(answers.map(({ status, headers }) => [status, headers['retry-after']])).toEqual(
          answers.map(() => [503, '1']),
        );
      } finally {
        system.thaw('postgres');
      }
    });
    expect(told.except('accepted', 'refused', 'unknown')).toEqual([]);
    expect(told.count('refused') + told.count('unknown')).toBeGreaterThan(10);
    await allIsWell();
  });

  it.each(['inventory', 'payment', 'order'] as const)(
    'a backend of %s is killed in mid-transaction: its batch comes again, and takes effect once',
    async (service) => {
      const { client, allIsWell } = stage();
      const table = { inventory: 'stock', payment: 'wallet', order: 'saga' }[service];
      const told = await client.during({ rate: 10, seed: 34 }, () =>
        inDatabase(stage(), service, async (sql) => {
          // Whoever writes there now waits in the middle of its transaction.
          await sql.query(`BEGIN; LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
          const killed = await eventually(
            async () => {
              const { rows } = await sql.query<{ killed: boolean }>(
                `SELECT pg_terminate_backend(pid) AS killed FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = $1`,
                [`${service}-1`],
              );
              expect(rows.length).toBeGreaterThan(0);
              return rows;
            },
            { within: 10_000 },
          );
          expect(killed.every((row) => row.killed)).toBe(true);
          await sql.query('ROLLBACK');
        }),
      );
      expect(told.except('accepted', 'unknown')).toEqual([]);
      await allIsWell();
    },
  );

  it("COMMIT's answer is lost on its way to payment: the batch comes again, and takes effect once", async () => {
    const { client, paymentDatabase, allIsWell } = stage();
    const told = await client.during({ rate: 10, seed: 35 }, async () => {
      for (let lost = 0; lost < 3; lost += 1) {
        paymentDatabase.breakAt('COMMIT', 'after commit');
        await eventually(() => expect(paymentDatabase.isArmed()).toBe(false), { within: 10_000 });
        await forAWhile(200);
      }
    });
    expect(told.except('accepted')).toEqual([]);
    await allIsWell();
  });

  it('the disk of Postgres is full: clients are refused, nothing is half done, and every order ends', () =>
    fullDisk(stage(), fillableDisk));

  if (long)
    it('every table answers as on a full disk: clients are refused, and every order ends', () =>
      fullDisk(stage(), refusingTables));
}

async function fullDisk(
  { system, client, allIsWell }: Stage,
  diskOf: (system: Stage['system']) => Promise<Disk>,
): Promise<void> {
  const disk = await diskOf(system);
  process.stderr.write(`    disk full: ${disk.how}\n`);
  try {
    const told = await client.during({ rate: 20, seed: 36 }, async () => {
      await disk.fill();
      await eventually(async () => expect((await client.ask(aMug)).status).toBe(503), { within: 15_000 });
      await forAWhile(long ? 10_000 : 1500);
      expect((await send(`${system.urls.order}/health/live`)).status).toBe(200);
      await disk.free();
    });
    expect(told.except('accepted', 'refused')).toEqual([]);
    await allIsWell();
  } finally {
    await disk.close();
  }
}
