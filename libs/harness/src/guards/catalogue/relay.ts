import { barrier } from '../barrier.js';
import type { Guard } from '../guard.js';
import {
  aHurriedMug,
  aMug,
  before,
  crashPoint,
  decideWithin,
  files,
  patch,
  repeatSoon,
  shortRelayLease,
  slowRelay,
} from '../instruments.js';
import { becomes, place, until } from '../schedules.js';

const beforeSettle = before(
  files.relay,
  'await this.#settle(rows, held);',
  barrier('before-settle', 'this.#o.database'),
);
const settleStatement =
  'DELETE FROM outbox WHERE seq = ANY($1::bigint[]) AND partition IN (SELECT partition FROM fenced)\nRETURNING seq';

export const relayGuards: readonly Guard[] = [
  {
    name: 'checked-send',
    invariants: ['O'],
    where: 'libs/platform/messaging/src/producer.ts',
    protections: [
      {
        what: "the check of the broker's reply",
        patches: [patch(files.producer, 'assertAcknowledged(records, replies);', '')],
      },
    ],
    schedule:
      'the first send to payment.commands resolves without it, as kafkajs does when a leader moves (tulios/kafkajs#1303)',
    services: ['order'],
    instruments: [
      repeatSoon,
      patch(
        files.producer,
        '[...byTopic].map(([topic, each])',
        "[...byTopic].filter(([topic]) => topic !== 'payment.commands' || (globalThis.faultlineSends = (globalThis.faultlineSends ?? 0) + 1) > 1).map(([topic, each])",
      ),
    ],
    async run(stage) {
      await place(stage, aMug);
    },
  },
  {
    name: 'relay-order',
    invariants: ['K'],
    where: 'libs/transactions/outbox/src/waiting.ts',
    protections: [
      {
        what: 'ORDER BY seq (instead: the reverse)',
        patches: [
          patch(
            files.waiting,
            'WHERE total <= $2 OR total = size\nORDER BY seq',
            'WHERE total <= $2 OR total = size\nORDER BY seq DESC',
          ),
        ],
      },
    ],
    schedule: "order's relay is slow: an order's release is in the outbox before its reserve has left it",
    services: ['order'],
    instruments: [slowRelay, decideWithin(2)],
    async run(stage) {
      const relay = await stage.hold('order', 'before-take');
      const orderId = await place(stage, aHurriedMug);
      await becomes(stage, orderId, 'REJECTED');
      await relay.open();
    },
  },
  {
    name: 'exact-deletion',
    invariants: ['O'],
    where: 'libs/transactions/outbox/src/waiting.ts',
    protections: [
      {
        what: 'the deletion of exactly the rows that were sent (instead: up to the last one)',
        patches: [
          patch(
            files.waiting,
            settleStatement,
            settleStatement.replace(
              'seq = ANY($1::bigint[])',
              'seq <= (SELECT max(sent) FROM unnest($1::bigint[]) AS sent)',
            ),
          ),
        ],
      },
    ],
    schedule:
      "an approval has its numbers in the outbox and is not committed; a later order's rows are sent; the approval commits before they are deleted, and the relay dies after that",
    services: ['order'],
    instruments: [
      repeatSoon,
      beforeSettle,
      crashPoint('after-delete'),
      patch(
        files.sagaStep,
        '...record.parts(sagas.messages, settings)]));',
        `...record.parts(sagas.messages, settings)])); if (sagas.messages.length > 0) ${barrier('replies-saved', 'tx')}`,
      ),
    ],
    async run(stage) {
      const saved = await stage.hold('order', 'replies-saved');
      const first = await place(stage, aMug);
      await saved.reached();
      const sent = await stage.hold('order', 'before-settle');
      await place(stage, aMug);
      await sent.reached();
      await saved.open();
      await becomes(stage, first, 'APPROVED');
      const crash = stage.system.crashAt('order', 'after-delete');
      await sent.open();
      await crash.struck(60_000);
    },
  },
  {
    name: 'fence',
    invariants: ['F'],
    where: 'libs/transactions/outbox/src/waiting.ts',
    protections: [
      {
        what: "the relay's fence",
        patches: [
          patch(
            files.waiting,
            settleStatement,
            'DELETE FROM outbox WHERE seq = ANY($1::bigint[])\nRETURNING seq',
          ),
        ],
      },
    ],
    schedule:
      "the relay of order-1 has sent and is frozen past its lease; order-2 takes the lease, sends the same rows and dies; order-1 wakes while order-2's lease still runs",
    services: ['order'],
    instruments: [shortRelayLease, beforeSettle],
    async run(stage) {
      const { system, databases } = stage;
      const sent = await stage.hold('order', 'before-settle');
      const orderId = await place(stage, aMug);
      await sent.reached();
      system.freeze('order');
      await system.process('order-2').start();
      await until('order-2 holds what order-1 has sent', async () => {
        const others = await databases.read(
          'order',
          "SELECT 1 FROM outbox JOIN relay_lease USING (partition) WHERE owner <> 'order-2'",
        );
        return others.length === 0;
      });
      await system.process('order-2').stop({ signal: 'SIGKILL' });
      await sent.open();
      system.thaw('order');
      await becomes(stage, orderId, 'APPROVED');
    },
  },
];
