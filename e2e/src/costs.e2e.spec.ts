import {
  auditFaultline,
  Counters,
  ordersFrom,
  placeOrder,
  quiet,
  runLoop,
  type Ordered,
} from '@faultline/bench';
import { startSystem, type HarnessSystem } from '@faultline/harness';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

// What an order costs in messages and statements is the same on every machine; seconds are the bench's business.
let system: HarnessSystem;
let counters: Counters;
let placed = 0;

beforeAll(async () => {
  system = await startSystem('costs');
  counters = await Counters.start(system);
  await system.whenReady();
});
afterAll(async () => {
  await counters?.stop();
  await system?.stop();
});

const place = async (order: Ordered): Promise<'approved' | 'rejected'> => {
  const ended = await placeOrder(system.urls, order);
  placed += 1;
  return ended;
};

/** Messages by topic that this work sent. */
async function messagesOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await counters.read();
  await work();
  await quiet(system);
  const after = await counters.read();
  return Object.fromEntries(
    Object.entries(after.messages).map(([topic, count]) => [topic, count - (before.messages[topic] ?? 0)]),
  );
}

it('an order alone is nine messages when it is approved and seven when it is declined', async () => {
  expect(await messagesOf(() => place({ customerId: 'customer-1', sku: 'mug', quantity: 1 }))).toEqual({
    // reserve, confirm
    'inventory.commands': 2,
    // authorize, capture
    'payment.commands': 2,
    'order.replies': 4,
    'order.events': 1,
  });
  expect(await messagesOf(() => place({ customerId: 'customer-poor', sku: 'mug', quantity: 1 }))).toEqual({
    // reserve, release
    'inventory.commands': 2,
    'payment.commands': 1,
    'order.replies': 3,
    'order.events': 1,
  });
});

it('sixteen at a time share transactions: at most six and a half statements each beside those by the clock, and nine messages', async () => {
  const next = ordersFrom(5);
  const load = (seconds: number) =>
    runLoop({ kind: 'closed', size: 16, seconds, seed: 5 }, () => place(next()));
  // Statements that are planned, prices that are read: once.
  await load(2);
  await quiet(system);
  const before = await counters.read();
  const { ended, approved, failures } = await load(6);
  await quiet(system);
  const after = await counters.read();
  expect(failures).toEqual([]);
  const statements = after.statements.faultline - before.statements.faultline;
  const byTheClock = after.byTheClock - before.byTheClock;
  process.stderr.write(
    `    ${ended} orders, ${(statements / ended).toFixed(2)} statements each, ${(byTheClock / ended).toFixed(2)} of them by the clock\n`,
  );
  // Four to five and a half on an idle machine; where the processor is crowded batches come less often than the relay
  // waits for the next one, and take half a statement more.
  expect((statements - byTheClock) / ended).toBeLessThanOrEqual(6.5);
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  expect(sum(after.messages) - sum(before.messages)).toBe(9 * approved + 7 * (ended - approved));
  expect(await auditFaultline(system, placed)).toEqual([]);
});
