import { z } from 'zod';
import { send } from '../../http.js';
import { barrier } from '../barrier.js';
import type { Guard, Stage } from '../guard.js';
import {
  aMug,
  before,
  deadLetterOfTheBug,
  files,
  patch,
  repeatSoon,
  slowRelay,
  unpaid,
} from '../instruments.js';
import { noted, notes, place, redriveAll, until, waitsForRowOr } from '../schedules.js';

const Stock = z.object({ onHand: z.number() });

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
      const { client } = stage;
      const orderId = await place(stage, { ...unpaid, lines: [{ sku: 'tea-rare', quantity: 1 }] });
      await until('the order is undone', async () => (await client.get(orderId)).settlement === 'UNDONE');
      await stage.mend('inventory');
      const handled = await noted(stage, 'inventory', orderId, 'reserve-stock');
      await redriveAll(stage, 'inventory');
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
];
