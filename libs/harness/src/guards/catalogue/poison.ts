import { randomUUID } from 'node:crypto';
import { send } from '../../http.js';
import type { Guard } from '../guard.js';
import {
  aMug,
  authorizeFails,
  crashPoint,
  deadLetterOfTheBug,
  decideWithin,
  files,
  patch,
  unlucky,
} from '../instruments.js';
import { becomes, notes, place, published, redriveAll, until } from '../schedules.js';

export const poisonGuards: readonly Guard[] = [
  {
    name: 'message-by-message',
    invariants: ['T'],
    where: 'libs/transactions/outbox/src/consume.ts',
    protections: [
      {
        what: 'the replay of a failed batch message by message',
        patches: [
          patch(
            files.consume,
            "'batch failed by its data: message by message');",
            "'batch failed by its data: message by message'); throw error;",
          ),
        ],
      },
    ],
    schedule: `payment throws on each authorize of ${unlucky}, and another customer orders after it`,
    services: ['order', 'payment'],
    instruments: [authorizeFails, decideWithin(3)],
    expected: deadLetterOfTheBug,
    patience: 20_000,
    async run(stage) {
      await place(stage, { ...aMug, customerId: unlucky });
      await place(stage, aMug);
    },
  },
  {
    name: 'dead-letter-in-transaction',
    invariants: ['D'],
    where: 'libs/transactions/outbox/src/batch.ts',
    protections: [
      {
        what: 'the dead letter in the transaction of its outcome',
        patches: [
          patch(
            files.deadLetters,
            'export function deadLetterPart(',
            'globalThis.faultlineDeadLetterPart = deadLetterPart; export function deadLetterPart(',
          ),
          patch(files.batch, 'deadLetterPart(this.#consumer, this.#poisoned),', ''),
          patch(
            files.consume,
            'logDeadLetter(options, poisoned);',
            'await options.database.write([globalThis.faultlineDeadLetterPart(options.consumer, [poisoned])]);',
          ),
        ],
      },
    ],
    schedule: `payment throws on the authorize of ${unlucky}, notes it as dead-lettered, and is killed after that commit`,
    services: ['order', 'payment'],
    instruments: [authorizeFails, decideWithin(3), crashPoint('after-commit-before-offset')],
    expected: deadLetterOfTheBug,
    async run(stage) {
      const crash = stage.system.crashAt('payment', 'after-commit-before-offset');
      const orderId = await place(stage, { ...aMug, customerId: unlucky });
      await crash.struck(60_000);
      await until('the order ends', async () => (await stage.client.get(orderId)).settlement === 'UNDONE');
    },
  },
  {
    name: 'redrive-once',
    invariants: ['E'],
    where: 'libs/transactions/outbox/src/dead-letters.ts',
    protections: [
      {
        what: 'that a letter is redriven once',
        patches: [patch(files.deadLetters, "WHERE id = $1::uuid AND status = 'DEAD'", 'WHERE id = $1::uuid')],
      },
      {
        what: 'that only what was dead-lettered is opened',
        patches: [patch(files.deadLetters, "AND inbox.outcome = 'dead-lettered'", '')],
      },
    ],
    schedule: `payment dead-letters the authorize of ${unlucky}; the bug is mended, and two operators redrive the letter`,
    services: ['payment'],
    instruments: [authorizeFails],
    expected: deadLetterOfTheBug,
    async run(stage) {
      const orderId = await place(stage, { ...aMug, customerId: unlucky });
      await notes(stage, 'order', orderId, 'authorize-payment dead-lettered');
      await stage.mend('payment');
      await redriveAll(stage, 'payment');
      await becomes(stage, orderId, 'APPROVED');
      await redriveAll(stage, 'payment');
      await published(stage, 'payment');
    },
  },
  {
    name: 'set-aside',
    invariants: ['T'],
    where: 'libs/transactions/outbox/src/relay.ts',
    protections: [
      {
        what: 'the limit of a message in the outbox',
        patches: [patch(files.outbox, 'if (value.length > largestMessage) {', 'if (false) {')],
      },
      {
        what: 'that a row which the broker refuses for good moves aside',
        patches: [patch(files.relay, 'if (!(error instanceof RefusedByBroker))\n', 'if (true)\n')],
      },
    ],
    schedule: `the authorize of ${unlucky} has 1.2 MB, more than the broker takes; another customer orders after it`,
    services: ['order'],
    instruments: [
      decideWithin(3),
      patch(
        files.outbox,
        'Buffer.from(JSON.stringify(message.body))',
        `Buffer.from(JSON.stringify(message.body).padEnd(message.body.customerId === '${unlucky}' ? 1_200_000 : 0))`,
      ),
    ],
    expected: /: REFUSED_BY_BROKER$/,
    patience: 20_000,
    async run(stage) {
      const { client, system } = stage;
      const body = { ...aMug, customerId: unlucky };
      const key = randomUUID();
      const headers = { 'idempotency-key': key };
      const answer = await send(`${system.urls.order}/orders`, { method: 'POST', headers, body });
      // Refused, there is nothing to remember; the same key tells of the order that was accepted.
      if (answer.status < 300) await client.ask(body, { key });
      await place(stage, aMug);
    },
  },
];
