import type { Guard, Protection } from '../guard.js';
import {
  aMug,
  crashPoint,
  files,
  patch,
  place,
  before,
  unlucky,
  authorizeFails,
  decideWithin,
  until,
  deadLetterOfTheBug,
} from '../schedules.js';

/** Either is enough: the second delivery finds the first one's row, or fails on its key and looks again. */
const seen: Protection = {
  what: 'the look at what was seen',
  patches: [patch(files.batch, 'new Set(seen.map(messageIdOf))', 'new Set()')],
};
const primaryKey: Protection = {
  what: "the inbox's primary key",
  patches: [
    patch(files.inbox, 'ORDER BY nth\nRETURNING 1', 'ORDER BY nth\nON CONFLICT DO NOTHING\nRETURNING 1'),
  ],
};
const repeatIsDone: Protection = {
  what: "the domain's own idempotence",
  patches: [
    patch(
      files.authorization,
      "case 'HELD':\n        case 'CAPTURED':\n            return { done: true };",
      "case 'HELD':\n        case 'CAPTURED':\n            break;",
    ),
  ],
};

const diesBeforeItsOffset: Pick<Guard, 'schedule' | 'services' | 'instruments' | 'run'> = {
  schedule:
    'payment holds the money and commits, and is killed before its offset is: the same authorize is delivered again',
  services: ['payment'],
  instruments: [crashPoint('after-commit-before-offset')],
  async run(stage) {
    const crash = stage.system.crashAt('payment', 'after-commit-before-offset');
    await place(stage, aMug);
    await crash.struck();
  },
};

export const inboxGuards: readonly Guard[] = [
  {
    name: 'inbox',
    invariants: ['E'],
    where: 'libs/transactions/outbox/src/batch.ts',
    protections: [seen, primaryKey],
    ...diesBeforeItsOffset,
  },
  {
    name: 'inbox-and-idempotence',
    invariants: ['P'],
    where: 'apps/payment/src/wallets/authorization.ts',
    protections: [{ what: 'the inbox', patches: [...seen.patches, ...primaryKey.patches] }, repeatIsDone],
    ...diesBeforeItsOffset,
  },
  {
    name: 'offset-after-commit',
    invariants: ['L'],
    where: 'libs/platform/messaging/src/membership.ts',
    protections: [
      {
        what: 'offsets after the commit',
        patches: [
          before(
            files.membership,
            'await this.#merger.add(records);',
            'this.#offsets.handled(batch.topic, batch.partition, batch.lastOffset()); await this.commit();',
          ),
        ],
      },
    ],
    schedule: 'payment is killed when it has received an authorize, before its transaction',
    services: ['payment'],
    instruments: [crashPoint('after-receive-before-transaction')],
    async run(stage) {
      const crash = stage.system.crashAt('payment', 'after-receive-before-transaction');
      await place(stage, aMug);
      await crash.struck();
    },
  },
  {
    name: 'one-transaction',
    invariants: ['E'],
    where: 'libs/platform/database/src/database.ts',
    protections: [
      {
        what: 'the transaction around effect and inbox row',
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
      'payment is killed between two statements of a step: money and journal are written, inbox and outbox are not',
    services: ['payment'],
    instruments: [
      patch(
        files.walletStep,
        'journalPart(entries),\n            ...record.parts(',
        "journalPart(entries)]); globalThis.faultlineCrashPoint('after-effect-before-inbox'); await tx.write([\n            ...record.parts(",
      ),
    ],
    async run(stage) {
      const crash = stage.system.crashAt('payment', 'after-effect-before-inbox');
      await place(stage, aMug);
      await crash.struck();
    },
  },
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
    patience: 8000,
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
      await crash.struck();
      await until('the order ends', async () => (await stage.client.get(orderId)).settlement === 'UNDONE');
    },
  },
];
