import { randomUUID } from 'node:crypto';
import { send } from '../../http.js';
import type { Guard, Protection } from '../guard.js';
import { aMug, crashPoint, files, patch } from '../instruments.js';
import { place, published } from '../schedules.js';

/** What a dual write needs: the producer at hand wherever something is decided. */
const producerAtHand = [
  patch(
    files.broker,
    'this.#running = { relay, producer, consumers };',
    'globalThis.faultlineProducer = producer; this.#running = { relay, producer, consumers };',
  ),
  patch(files.outbox, 'export function rowOf(', 'globalThis.faultlineRowOf = rowOf; export function rowOf('),
];

const keyLookUp: Protection = {
  what: 'the look-up of known keys',
  neededBy: 'key-look-up',
  patches: [
    patch(
      files.acceptance,
      'FROM idempotency_key WHERE key = ANY($1::text[])',
      'FROM idempotency_key WHERE key = ANY($1::text[]) AND false',
    ),
  ],
};

const saveReplies = '...record.parts(sagas.messages, settings)]));\n        return () => {';

export const orderGuards: readonly Guard[] = [
  {
    name: 'idempotency-key',
    invariants: ['A'],
    where: 'apps/order/src/orders/acceptance.ts',
    protections: [
      keyLookUp,
      {
        what: "the key's primary key",
        patches: [patch(files.acceptance, 'ORDER BY key\n', 'ORDER BY key ON CONFLICT DO NOTHING\n')],
      },
    ],
    schedule:
      'the order service is killed when an order is committed, before its answer; the client repeats the key',
    services: ['order'],
    instruments: [crashPoint('after-order-commit-before-answer')],
    async run(stage) {
      const crash = stage.system.crashAt('order', 'after-order-commit-before-answer');
      await place(stage, aMug);
      await crash.struck(60_000);
    },
  },
  {
    name: 'key-look-up',
    invariants: ['A'],
    where: 'apps/order/src/orders/acceptance.ts',
    protections: [keyLookUp],
    schedule:
      'the order service is killed when an order is committed, before its answer; the client repeats the key',
    services: ['order'],
    instruments: [crashPoint('after-order-commit-before-answer')],
    async run({ client, system }) {
      const key = randomUUID();
      const crash = system.crashAt('order', 'after-order-commit-before-answer');
      const broken = await client.ask(aMug, { key }).catch((error: unknown) => error);
      if (!(broken instanceof Error)) throw new Error('the order was answered, and nobody was killed');
      await crash.struck(60_000);
      await system.whenReady({ names: ['order-1'] });
      // What is never answered ends here: the audit then misses its outcome.
      await client.ask(aMug, { key, within: 15_000 }).catch(() => undefined);
    },
  },
  {
    name: 'body-hash',
    invariants: ['A'],
    where: 'apps/order/src/orders/acceptance.ts',
    protections: [
      {
        what: 'the hash of the body beside the key',
        patches: [patch(files.acceptance, 'if (known.bodyHash !== bodyHash)', 'if (false)')],
      },
    ],
    schedule: 'a client uses one key for two orders',
    services: ['order'],
    async run({ client, system }) {
      const { key, order } = await client.place(aMug);
      const other = { ...aMug, lines: [{ sku: 'teapot', quantity: 2 }] };
      const answer = await send(`${system.urls.order}/orders`, {
        method: 'POST',
        headers: { 'idempotency-key': key },
        body: other,
      });
      if (answer.status < 300)
        client.contradictions.push(
          `key ${key}: ${answer.status} for two teapots with order ${order?.orderId}, a mug`,
        );
    },
  },
  {
    name: 'outcome-unknown',
    invariants: ['A'],
    where: 'libs/platform/database/src/database.ts',
    protections: [
      {
        what: 'that a commit without an answer is no failure',
        patches: [
          patch(
            files.database,
            'throw broke ? new OutcomeUnknown(error) : error;',
            'throw broke ? new DatabaseUnavailable(error) : error;',
          ),
        ],
      },
    ],
    schedule: "the connection breaks at the answer to an order's commit; the client believes what it is told",
    services: ['order'],
    async run({ client, loseAnswerOf }) {
      const customerId = `customer-${50 + client.placements.size}`;
      loseAnswerOf(customerId);
      await client.ask({ ...aMug, customerId }, { key: randomUUID() });
      await client.resolve();
    },
  },
  {
    name: 'outbox',
    invariants: ['P'],
    where: 'libs/transactions/outbox/src/outbox.ts',
    protections: [
      {
        what: 'the outbox (instead: send, then commit)',
        patches: [
          ...producerAtHand,
          patch(
            files.acceptance,
            'outboxPart(messages, { source, partitionsOf, now }),',
            `(globalThis.faultlineUnsent = messages.map((message) => globalThis.faultlineRowOf(message, { source, partitionsOf, now })),
             outboxPart([], { source, partitionsOf, now })),`,
          ),
          patch(
            files.acceptance,
            "globalThis.faultlineCrashPoint('before-order-insert'); await this.options.database.write(this.#parts(orders, now));",
            `const parts = this.#parts(orders, now);
             await globalThis.faultlineProducer.send(globalThis.faultlineUnsent);
             globalThis.faultlineCrashPoint('before-order-insert');
             await this.options.database.write(parts);`,
          ),
        ],
      },
    ],
    schedule: 'the order service is killed before it commits an order; the client repeats the key',
    services: ['order'],
    instruments: [crashPoint('before-order-insert')],
    async run(stage) {
      const crash = stage.system.crashAt('order', 'before-order-insert');
      await place(stage, aMug);
      await crash.struck(60_000);
      await published(stage, 'inventory');
    },
  },
  {
    name: 'outbox-and-repeat',
    invariants: ['T'],
    where: 'libs/transactions/outbox/src/outbox.ts',
    protections: [
      {
        what: 'the outbox (instead: commit, then send)',
        patches: [
          ...producerAtHand,
          patch(files.sagaStep, saveReplies, saveReplies.replace('sagas.messages', '[]')),
          patch(
            files.sagaStep,
            "globalThis.faultlineCrashPoint('after-decision-commit');",
            `globalThis.faultlineCrashPoint('after-decision-commit');
             void globalThis.faultlineProducer.send(sagas.messages.map((message) => globalThis.faultlineRowOf(message, settings)));`,
          ),
        ],
      },
      {
        what: 'the repeat of what was not answered',
        patches: [patch(files.decide, 'known.retryAt > this.now', 'true')],
      },
    ],
    schedule: 'the order service is killed when it has committed an approval',
    services: ['order'],
    instruments: [
      patch(
        files.sagaStep,
        saveReplies,
        `${saveReplies} if (sagas.messages.length > 0) globalThis.faultlineCrashPoint('after-decision-commit');`,
      ),
    ],
    patience: 20_000,
    async run(stage) {
      const crash = stage.system.crashAt('order', 'after-decision-commit');
      await place(stage, aMug);
      await crash.struck(60_000);
    },
  },
];
