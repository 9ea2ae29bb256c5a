import { randomUUID } from 'node:crypto';

import { type Answer, send } from '../../http.js';

import type { Guard, Stage } from '../guard.js';
import { aMug, before, files, patch } from '../instruments.js';
import { place } from '../schedules.js';

/** One attempt: a bug would answer the next one as well. */
function addOnce(url: string, body: object): Promise<Answer> {
  return send(url, { method: 'POST', headers: { 'idempotency-key': randomUUID() }, body });
}

async function depositWithABug({ client, system }: Stage): Promise<void> {
  const answer = await addOnce(`${system.urls.payment}/wallets/customer-2/deposits`, { amount: 777 });
  if (answer.status === 200)
    client.deposited.set('customer-2', (client.deposited.get('customer-2') ?? 0) + 777);
}

export const depositGuards: readonly Guard[] = [
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
    run: depositWithABug,
  },
  {
    name: 'wallet-sums',
    invariants: ['M'],
    where: 'apps/payment/src/wallets/wallet.ts',
    protections: [
      {
        what: 'the check of a wallet that is changed',
        patches: [patch(files.wallet, 'balance !== deposited - captured + refunded) {', 'false) {')],
      },
      {
        what: "the table's constraint",
        patches: [],
        sql: { service: 'payment', text: 'ALTER TABLE wallet DROP CONSTRAINT wallet_nothing_lost' },
      },
    ],
    schedule: 'a bug: a deposit of 777 raises the balance by 776',
    services: ['payment'],
    instruments: [
      patch(
        files.wallet,
        'balance: wallet.balance + amount, deposited',
        'balance: wallet.balance + (amount === 777 ? 776 : amount), deposited',
      ),
    ],
    run: depositWithABug,
  },
  {
    name: 'shelf-sums',
    invariants: ['S'],
    where: 'apps/inventory/src/stock/stock.ts',
    protections: [
      {
        what: 'the check of a shelf that is changed',
        patches: [patch(files.stock, 'delivered !== onHand + sold) {', 'false) {')],
      },
      {
        what: "the table's constraint",
        patches: [],
        sql: { service: 'inventory', text: 'ALTER TABLE stock DROP CONSTRAINT stock_nothing_lost' },
      },
    ],
    schedule: 'a bug: a delivery of 777 puts 776 on the shelf',
    services: ['inventory'],
    instruments: [
      patch(
        files.stock,
        'onHand: shelf.onHand + quantity, delivered',
        'onHand: shelf.onHand + (quantity === 777 ? 776 : quantity), delivered',
      ),
    ],
    async run({ client, system }) {
      const answer = await addOnce(`${system.urls.inventory}/stock/teapot/deliveries`, { quantity: 777 });
      if (answer.status === 200) client.delivered.set('teapot', (client.delivered.get('teapot') ?? 0) + 777);
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
      await crash.struck(60_000);
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
      await crash.struck(60_000);
      await place(stage, aMug);
    },
  },
];
