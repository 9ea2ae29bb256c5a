import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Database, Transaction } from '@faultline/database';
import { testDatabase } from '@faultline/testing';
import type { Reservation } from './reservation.js';
import { StockCommands } from './stock.commands.js';
import { lockAndLoad, saveParts } from './stock.store.js';

let db: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  db = await testDatabase(new URL('../../prisma/migrations/', import.meta.url));
  await new StockCommands(db.database).put('mug', { name: 'Mug', unitPrice: 990 });
  await new StockCommands(db.database).deliver('mug', 10, 'first');
});
afterAll(() => db.drop());

async function reserveTwoMugs(database: Database, orderId: string): Promise<void> {
  await database.transaction(async (tx) => {
    const loaded = await lockAndLoad(tx, [orderId], ['mug']);
    const mug = loaded.shelves.get('mug');
    if (!mug) throw new Error('no mug');
    const reservation: Reservation = { status: 'RESERVED', lines: [{ sku: 'mug', quantity: 2 }] };
    const after = {
      reservations: new Map([[orderId, reservation]]),
      shelves: new Map([['mug', { ...mug, reserved: mug.reserved + 2 }]]),
    };
    await tx.write(saveParts(loaded, after, loaded.now));
  });
}

describe('what a step loads', () => {
  it('is locked, also when another step committed it between the lock and the load', async () => {
    const orderId = randomUUID();
    const loaded = await db.database.transaction(async (tx) => {
      let meanwhile = async (): Promise<void> => reserveTwoMugs(db.database, orderId);
      const overtaken: Transaction = {
        ...tx,
        async query(statement) {
          const rows = await tx.query(statement);
          await meanwhile();
          meanwhile = async () => undefined;
          return rows as never;
        },
      };
      // A release: it names no SKU, so the shelf is known only by the reservation.
      return lockAndLoad(overtaken, [orderId], []);
    });
    expect(loaded.reservations.get(orderId)).toMatchObject({ status: 'RESERVED' });
    expect(loaded.shelves.get('mug')).toMatchObject({ onHand: 10 });
  });

  it('is the state after the lock was granted, not before', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    await Promise.all([reserveTwoMugs(db.database, first), reserveTwoMugs(db.database, second)]);
    const { shelves } = await db.database.transaction((tx) => lockAndLoad(tx, [], ['mug']));
    expect(shelves.get('mug')?.reserved).toBe(6);
  });

  it('tells the time of the database', async () => {
    const { now } = await db.database.transaction((tx) => lockAndLoad(tx, [], []));
    const [row] = await db.database.query<{ now: number }>({
      name: 'now',
      text: 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now',
      values: [],
    });
    expect(Math.abs((row?.now ?? 0) - now)).toBeLessThan(5000);
  });
});
