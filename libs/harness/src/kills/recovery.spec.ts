import { afterEach, expect, it } from '@jest/globals';
import { eventually } from '@faultline/testing';
import type { Databases } from '../databases.js';
import { OpenOrders } from './recovery.js';

let open: OpenOrders | undefined;
afterEach(() => open?.stop());

it('says when all orders that were undecided at a moment are decided, whatever came later', async () => {
  let rows: { id: string; settlement: string }[] | Error = [
    { id: 'a', settlement: 'NONE' },
    { id: 'b', settlement: 'NONE' },
    { id: 'c', settlement: 'SETTLING' },
  ];
  const databases = {
    read: () => (rows instanceof Error ? Promise.reject(rows) : Promise.resolve(rows)),
  } as unknown as Databases;
  open = new OpenOrders(databases);
  const orders = open;
  await eventually(() => expect(orders.count).toBe(3));
  expect([...orders.undecided]).toEqual(['a', 'b']);

  const done: string[] = [];
  void orders.decided(orders.undecided).then(() => done.push('a and b'));
  void orders.decided(new Set()).then(() => done.push('none'));
  await eventually(() => expect(done).toEqual(['none']));
  rows = [{ id: 'b', settlement: 'NONE' }];
  await eventually(() => expect(orders.count).toBe(1));
  // Nobody knows while the database is away.
  rows = new Error('away');
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(done).toEqual(['none']);
  rows = [{ id: 'd', settlement: 'NONE' }];
  await eventually(() => expect(done).toEqual(['none', 'a and b']));
});
