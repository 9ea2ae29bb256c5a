import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  Client,
  forAWhile,
  judge,
  observe,
  startLoad,
  startSystem,
  type Invariant,
  type Observation,
  type ServiceName,
  type System,
  type Verdict,
} from '@faultline/harness';
import { eventually } from '@faultline/testing';

let system: System;
let client: Client;
let observation: Observation;

beforeAll(async () => {
  system = await startSystem('audit');
  observation = await observe(system);
  client = new Client(system.urls);
  const load = startLoad(client, { rate: 20, seed: 7 });
  await forAWhile(1500);
  system.process('payment').kill('SIGKILL');
  await forAWhile(1500);
  await load.stop();
  await system.whenReady();
  await client.place({ customerId: 'customer-poor', lines: [{ sku: 'mug', quantity: 1 }] });
}, 120_000);
afterAll(async () => {
  await observation?.stop();
  await system?.stop();
});

const broken = (verdicts: readonly Verdict[]): Invariant[] =>
  verdicts.filter(({ holds }) => !holds).map(({ invariant }) => invariant);
const rowsOf = (verdicts: readonly Verdict[]): string[] =>
  verdicts.flatMap(({ invariant, rows }) => rows.map((row) => `${invariant}: ${row}`));

it('every invariant holds, and each was judged by what there was to look at', async () => {
  const verdicts = await judge(system, client, observation);
  expect(rowsOf(verdicts)).toEqual([]);
  expect(verdicts.map(({ invariant }) => invariant).join('')).toBe('MSTPOELKAFD');
  expect(verdicts.filter(({ looked }) => looked === '')).toEqual([]);
});

interface Fault {
  readonly what: string;
  readonly service: ServiceName;
  /** Statements; the recording does not see them unless it is told to. */
  readonly harm: string;
  readonly undo: string;
  readonly isRecorded?: boolean;
  /** The invariants that it breaks, and no other. */
  readonly breaks: string;
  readonly row: RegExp;
}

const one = (table: string, where: string): string =>
  `ctid = (SELECT ctid FROM ${table} WHERE ${where} ORDER BY 1 LIMIT 1)`;

const faults: readonly Fault[] = [
  {
    what: 'a cent too much in the ledger',
    service: 'payment',
    harm: `UPDATE ledger_entry SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_entry WHERE kind = 'CAPTURE')`,
    undo: `UPDATE ledger_entry SET amount = amount - 1 WHERE id = (SELECT min(id) FROM ledger_entry WHERE kind = 'CAPTURE')`,
    breaks: 'M',
    row: /^M: posting .* sums to 1/m,
  },
  {
    what: 'money that a wallet has and nobody deposited',
    service: 'payment',
    harm: `UPDATE wallet SET deposited = deposited + 100, balance = balance + 100 WHERE customer_id = 'customer-1'`,
    undo: `UPDATE wallet SET deposited = deposited - 100, balance = balance - 100 WHERE customer_id = 'customer-1'`,
    breaks: 'M',
    row: /^M: the client knows of deposits of .*customer-1"/m,
  },
  {
    what: 'a mug that nobody delivered',
    service: 'inventory',
    harm: `UPDATE stock SET delivered = delivered + 1, on_hand = on_hand + 1 WHERE sku = 'mug'`,
    undo: `UPDATE stock SET delivered = delivered - 1, on_hand = on_hand - 1 WHERE sku = 'mug'`,
    breaks: 'S',
    row: /^S: the client knows of deliveries of .*mug/m,
  },
  {
    what: 'an order decided 31 s after its deadline',
    service: 'order',
    harm: `UPDATE orders SET decided_at = deadline + interval '31 s' WHERE id = (SELECT min(id::text)::uuid FROM orders)`,
    undo: `UPDATE orders SET decided_at = settled_at WHERE id = (SELECT min(id::text)::uuid FROM orders)`,
    breaks: 'T',
    row: /^T: .* was decided 31000 ms/m,
  },
  {
    what: 'an order that was decided twice',
    service: 'order',
    harm: `INSERT INTO faultline_harness.change (of, op, before, after)
           SELECT of, op, before, after FROM faultline_harness.change
           WHERE of = 'orders' AND before ->> 'status' = 'PENDING' LIMIT 1`,
    undo: '',
    isRecorded: true,
    breaks: 'T',
    row: /^T: .* left PENDING 2 times/m,
  },
  {
    what: 'an approved order whose money was not taken',
    service: 'payment',
    harm: `UPDATE "authorization" SET status = 'VOIDED', amount = amount WHERE order_id =
           (SELECT min(order_id::text)::uuid FROM "authorization" WHERE status IN ('CAPTURED'))`,
    undo: `UPDATE "authorization" SET status = 'CAPTURED' WHERE order_id =
           (SELECT min(order_id::text)::uuid FROM "authorization" WHERE status = 'VOIDED' AND amount IS NOT NULL)`,
    breaks: 'P',
    row: /^P: .* is APPROVED, its stock CONFIRMED, its payment VOIDED/m,
  },
  {
    what: 'pieces that stay reserved',
    service: 'inventory',
    harm: `UPDATE stock SET reserved = reserved + 1 WHERE sku = 'teapot'`,
    undo: `UPDATE stock SET reserved = reserved - 1 WHERE sku = 'teapot'`,
    breaks: 'SP',
    row: /^P: reserved with nothing under way: .*teapot/m,
  },
  {
    what: 'an outbox row that is deleted without having been published',
    service: 'order',
    harm: `INSERT INTO outbox (id, topic, partition, key, headers, value)
           VALUES (gen_random_uuid(), 'order.events', 0, 'x', '{"ce_id": "lost", "ce_type": "lost.v1"}', 'x');
           DELETE FROM outbox WHERE headers ->> 'ce_id' = 'lost'`,
    undo: '',
    isRecorded: true,
    breaks: 'OF',
    row: /^O: row \d+ of order's outbox \(lost.v1 lost\) is not in order.events\/0/m,
  },
  {
    what: 'a message without its commit',
    service: 'payment',
    harm: `UPDATE faultline_harness.change SET of = 'elsewhere'
           WHERE nr = (SELECT min(nr) FROM faultline_harness.change WHERE of = 'outbox' AND op = 'INSERT')`,
    undo: `UPDATE faultline_harness.change SET of = 'outbox' WHERE of = 'elsewhere'`,
    // The command that it answers now has no committed answer.
    breaks: 'OE',
    row: /^O: order.replies\/\d\/\d+ .* tells of what no outbox row was committed for/m,
  },
  {
    what: 'an effect that came twice',
    service: 'inventory',
    harm: `INSERT INTO journal (order_id, at, what, message_id, causation_id, attempt, outcome, detail)
           SELECT order_id, at, what, message_id, causation_id, attempt, outcome, '"again"' FROM journal LIMIT 1`,
    undo: `DELETE FROM journal WHERE detail = '"again"'`,
    breaks: 'E',
    row: /^E: inventory: .* took effect 2 times: reserve-stock DONE, then reserve-stock DONE/m,
  },
  {
    what: 'a charge that was posted twice',
    service: 'payment',
    harm: `INSERT INTO ledger_entry (posting_id, account, kind, amount, order_id, at)
           SELECT '00000000-0000-4000-8000-000000000000', account, kind, amount, order_id, at FROM ledger_entry
           WHERE posting_id = (SELECT posting_id FROM ledger_entry WHERE kind = 'CAPTURE' LIMIT 1)`,
    undo: `DELETE FROM ledger_entry WHERE posting_id = '00000000-0000-4000-8000-000000000000'`,
    breaks: 'ME',
    row: /^E: .* CAPTURE was posted 2 times/m,
  },
  {
    what: 'a message below the committed offset that nobody handled',
    service: 'payment',
    harm: `CREATE TABLE kept_inbox AS SELECT * FROM inbox LIMIT 1;
           DELETE FROM inbox USING kept_inbox AS kept WHERE inbox.message_id = kept.message_id`,
    undo: `INSERT INTO inbox SELECT * FROM kept_inbox; DROP TABLE kept_inbox`,
    breaks: 'ELD',
    row: /^L: payment.commands\/\d\/\d+ .* lies below the committed offset of payment/m,
  },
  {
    what: 'an inbox that forgets what it applied',
    service: 'order',
    harm: `CREATE TABLE kept_inbox AS SELECT * FROM inbox LIMIT 1;
           DELETE FROM inbox USING kept_inbox AS kept WHERE inbox.message_id = kept.message_id;
           INSERT INTO inbox SELECT * FROM kept_inbox`,
    undo: `DROP TABLE kept_inbox`,
    isRecorded: true,
    breaks: 'E',
    row: /^E: order: .* was applied and was forgotten/m,
  },
  {
    what: 'two messages of an order that arrived the wrong way round',
    service: 'order',
    harm: `WITH two AS (
             SELECT max(nr) AS later, min(nr) AS earlier FROM faultline_harness.change
             WHERE of = 'outbox' AND op = 'INSERT' AND after ->> 'topic' = 'inventory.commands'
             GROUP BY after ->> 'key' HAVING count(*) = 2 LIMIT 1)
           UPDATE faultline_harness.change AS row SET after = row.after || jsonb_build_object('seq', other.after -> 'seq', 'was', row.after -> 'seq')
           FROM two, faultline_harness.change AS other
           WHERE (row.nr, other.nr) IN ((two.later, two.earlier), (two.earlier, two.later))`,
    undo: `UPDATE faultline_harness.change SET after = (after || jsonb_build_object('seq', after -> 'was')) - 'was' WHERE after ? 'was'`,
    breaks: 'K',
    row: /^K: inventory.commands\/\d\/\d+: .* was written before .* and came after it/m,
  },
  {
    what: 'a saga saved by somebody who had not seen the latest save',
    service: 'order',
    harm: `CREATE TABLE kept_saga AS SELECT * FROM saga WHERE status = 'COMPLETED' LIMIT 1;
           UPDATE saga SET version = saga.version + 1,
             state = jsonb_set(saga.state, '{steps,confirm stock}', '{"status": "SENT", "attempt": 1}')
           FROM kept_saga WHERE saga.id = kept_saga.id`,
    undo: `UPDATE saga SET version = kept.version, state = kept.state FROM kept_saga AS kept WHERE saga.id = kept.id;
           DROP TABLE kept_saga`,
    isRecorded: true,
    breaks: 'F',
    row: /^F: saga .* saved by a thief: confirm stock went from DONE back to SENT/m,
  },
  {
    what: 'a lease that changed hands under the same fence',
    service: 'inventory',
    harm: `INSERT INTO faultline_harness.change (of, op, after)
           SELECT of, op, after || '{"owner": "thief"}' FROM faultline_harness.change WHERE of = 'relay_lease' ORDER BY nr DESC LIMIT 1`,
    undo: '',
    isRecorded: true,
    breaks: 'F',
    row: /^F: inventory: lease \d went from inventory-1 #\d+ to thief #\d+/m,
  },
  {
    what: 'due work that moved an order for nobody who held it',
    service: 'order',
    harm: `INSERT INTO journal (order_id, at, what, message_id, attempt, outcome) SELECT id, now(), 'due', 'a-tick', 1, 'ADVANCED' FROM orders LIMIT 1`,
    undo: `DELETE FROM journal WHERE message_id = 'a-tick'`,
    breaks: 'F',
    row: /^F: order: due work moved .* while nobody held it/m,
  },
  {
    what: 'a message whose outcome is not where it should be',
    service: 'inventory',
    harm: `UPDATE inbox SET outcome = 'dead-lettered' WHERE ${one('inbox', `outcome = 'applied'`)}`,
    undo: `UPDATE inbox SET outcome = 'applied' WHERE outcome = 'dead-lettered'`,
    breaks: 'ED',
    row: /^D: inventory: .* is dead-lettered and does not lie among the dead letters/m,
  },
  {
    what: 'an outcome of a message that never came',
    service: 'order',
    harm: `INSERT INTO inbox (consumer, message_id, outcome) VALUES ('order', 'from-nowhere', 'applied')`,
    undo: `DELETE FROM inbox WHERE message_id = 'from-nowhere'`,
    breaks: 'D',
    row: /^D: order: from-nowhere is applied and never came/m,
  },
];

it.each(faults)('$what breaks $breaks', async ({ service, harm, undo, isRecorded = false, breaks, row }) => {
  const { databases } = observation;
  const run = (statements: string, role: string): Promise<unknown> =>
    databases.read(
      service,
      `BEGIN; SET LOCAL session_replication_role = ${role}; SET LOCAL application_name = 'a thief'; ${statements}; COMMIT`,
    );
  const [before] = await databases.read<{ nr: number }>(
    service,
    'SELECT max(nr) AS nr FROM faultline_harness.change',
  );
  await run(harm, isRecorded ? 'origin' : 'replica');
  try {
    const verdicts = await judge(system, client, observation, { within: 5000 });
    expect(rowsOf(verdicts).join('\n')).toMatch(row);
    expect(broken(verdicts).join('')).toBe(breaks);
  } finally {
    await run(undo || 'SELECT 1', 'replica');
    if (isRecorded) await run(`DELETE FROM faultline_harness.change WHERE nr > ${before?.nr}`, 'replica');
  }
});

it('an order of which the client was told and that is not there breaks A', async () => {
  const [told] = client.accepted;
  if (!told) throw new Error('nothing was accepted');
  client.placements.set('a lie', {
    ...told,
    key: 'a lie',
    order: { ...told.order, orderId: '00000000-0000-7000-8000-000000000000', status: 'REJECTED' },
  });
  const verdicts = await judge(system, client, observation, { within: 5000 });
  client.placements.delete('a lie');
  expect(rowsOf(verdicts).join('\n')).toMatch(/^A: order 00000000-.* was answered 2xx and is not there/m);
  expect(broken(verdicts).join('')).toBe('A');
});

it('a key without a definite answer breaks A', async () => {
  client.placements.set('open', {
    key: 'open',
    body: { customerId: 'customer-1', lines: [] },
    answers: ['500'],
  });
  const verdicts = await judge(system, client, observation, { within: 5000 });
  client.placements.delete('open');
  expect(rowsOf(verdicts)).toEqual(['A: key open has no definite answer: 500']);
});

it('an order that is still under way when time is up breaks T', async () => {
  await system.process('payment').stop();
  try {
    await client.place({ customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] });
    const { databases } = observation;
    await expect(client.allEnded(1000)).rejects.toThrow(/1 of \d+ orders have not ended/);
    await eventually(async () => {
      const [row] = await databases.read<{ open: number }>(
        'order',
        `SELECT count(*) AS open FROM orders WHERE status = 'PENDING'`,
      );
      expect(row?.open).toBe(1);
    });
  } finally {
    await system.process('payment').start();
    await system.whenReady();
  }
  expect(rowsOf(await judge(system, client, observation))).toEqual([]);
});
