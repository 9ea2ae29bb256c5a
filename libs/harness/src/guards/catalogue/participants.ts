import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { send } from '../../http.js';
import { barrier } from '../barrier.js';
import type { Guard, Stage } from '../guard.js';
import {
  aMug,
  before,
  files,
  notes,
  noted,
  patch,
  place,
  repeatSoon,
  unpaid,
  until,
  waitsForRowOr,
  deadLetterOfTheBug,
  slowRelay,
} from '../schedules.js';

const Stock = z.object({ onHand: z.number() });
const Letters = z.object({ items: z.array(z.object({ id: z.string(), status: z.string() })) });

/** Somebody adds while a step has loaded and not yet saved. */
async function addMeanwhile(
  stage: Stage,
  service: 'inventory' | 'payment',
  point: string,
  add: () => Promise<void>,
): Promise<void> {
  const loaded = await stage.hold(service, point);
  const placed = place(stage, aMug);
  await loaded.reached();
  let added = false;
  const adding = add().then(() => void (added = true));
  await waitsForRowOr(stage, service, () => added);
  await loaded.open();
  await Promise.all([placed, adding]);
}

export const participantGuards: readonly Guard[] = [
  {
    name: 'row-locks',
    invariants: ['M'],
    where: 'apps/payment/src/wallets/wallet.store.ts',
    protections: [
      {
        what: 'FOR UPDATE on authorizations and wallets',
        patches: [
          patch(files.walletStore, 'ORDER BY order_id FOR UPDATE', 'ORDER BY order_id'),
          patch(files.walletStore, 'ORDER BY customer_id FOR UPDATE', 'ORDER BY customer_id'),
        ],
      },
    ],
    schedule: 'a step of payment has loaded a wallet; a deposit comes before it saves',
    services: ['payment'],
    instruments: [before(files.walletStep, 'const { now } = loaded;', barrier('wallets-loaded', 'tx'))],
    run: (stage) =>
      addMeanwhile(stage, 'payment', 'wallets-loaded', () => stage.client.deposit(aMug.customerId, 700)),
  },
  {
    name: 'shelf-locks',
    invariants: ['S'],
    where: 'apps/inventory/src/stock/stock.store.ts',
    protections: [
      {
        what: 'FOR UPDATE on reservations and shelves',
        patches: [
          patch(files.stockStore, 'ORDER BY order_id FOR UPDATE', 'ORDER BY order_id'),
          patch(files.stockStore, 'ORDER BY sku FOR UPDATE', 'ORDER BY sku'),
        ],
      },
    ],
    schedule: 'a step of inventory has loaded a shelf; a delivery comes before it saves',
    services: ['inventory'],
    instruments: [before(files.stockStep, 'const { now } = loaded;', barrier('shelves-loaded', 'tx'))],
    run: (stage) => addMeanwhile(stage, 'inventory', 'shelves-loaded', () => stage.client.deliver('mug', 7)),
  },
  {
    name: 'tombstone',
    invariants: ['P'],
    where: 'apps/inventory/src/stock/reservation.ts',
    protections: [
      {
        what: 'the released reservation that a release leaves where there was none',
        patches: [
          patch(
            files.reservation,
            'return { done: true, reservation: tombstone };',
            'return { done: true };',
          ),
        ],
      },
    ],
    schedule:
      'inventory cannot handle a reserve and dead-letters it; payment refuses, and the release comes first; the bug is mended, and an operator redrives the reserve',
    services: ['inventory'],
    instruments: [
      before(
        files.stockStep,
        'return reserve(stock.shelves, reservation,',
        "if (command.body.lines.some(({ sku }) => sku === 'tea-rare')) throw new Error('a bug');",
      ),
    ],
    expected: deadLetterOfTheBug,
    async run(stage) {
      const { system, client } = stage;
      const orderId = await place(stage, { ...unpaid, lines: [{ sku: 'tea-rare', quantity: 1 }] });
      await until('the order is undone', async () => (await client.get(orderId)).settlement === 'UNDONE');
      await stage.mend('inventory');
      const handled = await noted(stage, 'inventory', orderId, 'reserve-stock');
      const headers = { authorization: `Bearer ${system.token}` };
      const letters = await send(`${system.urls.inventory}/dead-letters?status=DEAD`, { headers });
      for (const { id } of Letters.parse(letters.json()).items)
        await send(`${system.urls.inventory}/dead-letters/${id}/redrive`, { method: 'POST', headers });
      await notes(stage, 'inventory', orderId, 'reserve-stock', handled + 1);
    },
  },
  {
    name: 'remembered-refusal',
    invariants: ['P'],
    where: 'apps/inventory/src/stock/reservation.ts',
    protections: [
      {
        what: 'the refused reservation that is kept',
        patches: [
          patch(
            files.reservation,
            "return { refused: reason, detail, reservation: { status: 'REFUSED', lines, reason, detail } };",
            'return { refused: reason, detail };',
          ),
        ],
      },
    ],
    schedule:
      'inventory refuses for want of stock, and its reply is late: the order service repeats the reserve, and a delivery has come meanwhile',
    services: ['order', 'inventory'],
    instruments: [repeatSoon, slowRelay],
    async run(stage) {
      const { client, system } = stage;
      const { onHand } = Stock.parse((await send(`${system.urls.inventory}/stock/tea-rare`)).json());
      const replies = await stage.hold('inventory', 'before-take');
      const orderId = await place(stage, { ...aMug, lines: [{ sku: 'tea-rare', quantity: onHand + 1 }] });
      await notes(stage, 'inventory', orderId, 'reserve-stock');
      await client.deliver('tea-rare', 5);
      const handled = await noted(stage, 'inventory', orderId, 'reserve-stock');
      await notes(stage, 'inventory', orderId, 'reserve-stock', handled + 1);
      await replies.open();
    },
  },
  {
    name: 'ledger-check',
    invariants: ['M'],
    where: 'apps/payment/src/wallets/ledger.ts',
    protections: [
      {
        what: 'the last look that postings sum to zero',
        patches: [patch(files.ledger, 'if (sum !== 0)', 'if (false)')],
      },
    ],
    schedule: 'a bug: of a deposit of 777 the bank gives 777 and the wallet is posted 776',
    services: ['payment'],
    instruments: [
      patch(
        files.ledger,
        '{ postingId, account: to, kind, amount, orderId }',
        '{ postingId, account: to, kind, amount: amount === 777 ? 776 : amount, orderId }',
      ),
    ],
    async run(stage) {
      const { client, system } = stage;
      const answer = await send(`${system.urls.payment}/wallets/customer-2/deposits`, {
        method: 'POST',
        headers: { 'idempotency-key': randomUUID() },
        body: { amount: 777 },
      });
      if (answer.status === 200)
        client.deposited.set('customer-2', (client.deposited.get('customer-2') ?? 0) + 777);
      await place(stage, aMug);
    },
  },
  {
    name: 'key-with-effect',
    invariants: ['M'],
    where: 'libs/platform/service/src/idempotency.ts',
    protections: [
      {
        what: "the transaction around a deposit's key and its effect",
        patches: [
          patch(files.database, "await client.query('BEGIN');", ''),
          patch(
            files.database,
            "const { command } = await client.query('COMMIT');",
            "const command = 'COMMIT';",
          ),
        ],
      },
    ],
    schedule:
      'payment is killed when a deposit has bound its key, before its effect; the client repeats the key',
    services: ['payment'],
    instruments: [
      before(
        files.idempotency,
        'const response = await work();',
        "globalThis.faultlineCrashPoint('after-key-before-effect');",
      ),
    ],
    async run(stage) {
      const crash = stage.system.crashAt('payment', 'after-key-before-effect');
      await stage.client.deposit('customer-2', 500);
      await crash.struck();
      await place(stage, aMug);
    },
  },
  {
    name: 'deposit-key',
    invariants: ['M'],
    where: 'libs/platform/service/src/idempotency.ts',
    protections: [
      {
        what: 'the key of a deposit',
        patches: [patch(files.idempotency, 'if (bound === 0) {', 'if (false) {')],
      },
    ],
    schedule: 'payment is killed when a deposit is committed, before its answer; the client repeats the key',
    services: ['payment'],
    instruments: [
      patch(
        files.database,
        'committing = false;\n                if (command',
        "committing = false; globalThis.faultlineCrashPoint('after-commit-before-answer');\n                if (command",
      ),
    ],
    async run(stage) {
      const crash = stage.system.crashAt('payment', 'after-commit-before-answer');
      await stage.client.deposit('customer-2', 500);
      await crash.struck();
      await place(stage, aMug);
    },
  },
];
