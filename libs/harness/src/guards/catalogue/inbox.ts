import type { Guard, Protection } from '../guard.js';
import { aMug, before, crashPoint, files, patch } from '../instruments.js';
import { place } from '../schedules.js';

const seen: Protection = {
  what: 'the look at what was seen',
  neededBy: 'inbox-look',
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
    await crash.struck(60_000);
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
    name: 'inbox-look',
    invariants: ['T'],
    where: 'libs/transactions/outbox/src/batch.ts',
    protections: [seen],
    ...diesBeforeItsOffset,
    patience: 20_000,
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
      await crash.struck(60_000);
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
      await crash.struck(60_000);
    },
  },
];
