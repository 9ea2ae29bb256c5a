import { barrier } from '../barrier.js';
import type { Guard } from '../guard.js';
import {
  aHurriedMug,
  aMug,
  authorizeFails,
  before,
  deadLetterOfTheBug,
  decideWithin,
  files,
  patch,
  shortDueLease,
  slowRelay,
  unlucky,
  unpaid,
} from '../instruments.js';
import { becomes, notes, place, transactionsOf, until, waitsForRowOr } from '../schedules.js';

const beforeLocks = before(
  files.sagaStep,
  'const ids = [...new Set(batch.incoming.flatMap(',
  barrier('before-reply-step', 'tx'),
);
const dueLoaded = before(
  files.sagaStep,
  "const held = new Set(loaded.rows['due-held']",
  barrier('due-loaded', 'tx'),
);

export const sagaGuards: readonly Guard[] = [
  {
    name: 'compare-and-set',
    invariants: ['P', 'T'],
    where: 'libs/transactions/saga/src/store.ts',
    protections: [
      {
        what: "compare-and-set on the saga's version",
        patches: [
          patch(
            files.sagaStore,
            'WHERE saga.id = new.id AND saga.version = new.loaded_version',
            'WHERE saga.id = new.id',
          ),
        ],
      },
      {
        what: "the lock on the saga's row",
        patches: [patch(files.sagaStore, 'ORDER BY id FOR UPDATE', 'ORDER BY id')],
      },
    ],
    schedule:
      'a timeout meets a success: due work has loaded the saga at its deadline, and before it saves the replies are handled',
    services: ['order'],
    instruments: [beforeLocks, dueLoaded, decideWithin(4)],
    patience: 20_000,
    async run(stage) {
      const replies = await stage.hold('order', 'before-reply-step');
      const due = await stage.hold('order', 'due-loaded');
      const orderId = await place(stage, aHurriedMug);
      await replies.reached();
      await due.reached();
      await replies.open();
      await waitsForRowOr(
        stage,
        'order',
        async () => (await stage.client.get(orderId)).status === 'APPROVED',
      );
      const over = await transactionsOf(stage, 'order');
      await due.open();
      await over();
    },
  },
  {
    name: 'deadline',
    invariants: ['T'],
    where: 'libs/transactions/saga/src/decide.ts',
    protections: [
      {
        what: 'the deadline of the decision',
        patches: [patch(files.decide, 'this.now >= this.before.deadline', 'false')],
      },
    ],
    schedule: `payment throws on the authorize of ${unlucky}: the saga is suspended, and nobody resumes it`,
    services: ['order', 'payment'],
    instruments: [authorizeFails, decideWithin(3)],
    expected: deadLetterOfTheBug,
    patience: 20_000,
    async run(stage) {
      const orderId = await place(stage, { ...aMug, customerId: unlucky });
      await notes(stage, 'order', orderId, 'authorize-payment dead-lettered');
    },
  },
  {
    name: 'undo-the-unanswered',
    invariants: ['P'],
    where: 'libs/transactions/saga/src/decide.ts',
    protections: [
      {
        what: 'the compensation of a step that has not answered',
        patches: [patch(files.decide, "known.status === 'SENT' ||\n", '\n')],
      },
    ],
    schedule: 'inventory reserves, and its reply is late; payment refuses first',
    services: ['order', 'inventory'],
    instruments: [slowRelay],
    async run(stage) {
      const replies = await stage.hold('inventory', 'before-take');
      const orderId = await place(stage, unpaid);
      await notes(stage, 'inventory', orderId, 'reserve-stock');
      await becomes(stage, orderId, 'REJECTED');
      await replies.open();
      await notes(stage, 'order', orderId, 'reserve-stock done');
    },
  },
  {
    name: 'due-fence',
    invariants: ['F'],
    where: 'libs/transactions/due-work/src/due-work.ts',
    protections: [
      {
        what: 'the fence of claimed work',
        patches: [patch(files.dueWork, 'WHERE due_work.fence = mine.fence\n', '')],
      },
    ],
    schedule:
      "order-1 has claimed a saga's deadline and is frozen past its lease; order-2 claims it and dies; order-1 wakes while order-2's lease still runs",
    services: ['order', 'payment'],
    instruments: [
      decideWithin(3),
      shortDueLease,
      slowRelay,
      before(files.dueWorker, 'await this.#o.run(claimed);', barrier('due-claimed', 'this.#o.database')),
    ],
    async run(stage) {
      const { system, databases } = stage;
      const claimed = await stage.hold('order', 'due-claimed');
      const silent = await stage.hold('payment', 'before-take');
      const orderId = await place(stage, aHurriedMug);
      const holder = async (): Promise<string | null> =>
        (
          await databases.read<{ owner: string | null }>(
            'order',
            'SELECT owner FROM due_work WHERE key = $1',
            [orderId],
          )
        )[0]?.owner ?? null;
      await until('order-1 claims', async () => (await holder()) === 'order-1');
      await claimed.reached();
      system.freeze('order');
      await system.process('order-2').start();
      await until('order-2 claims', async () => (await holder()) === 'order-2');
      await system.process('order-2').stop({ signal: 'SIGKILL' });
      await claimed.open();
      system.thaw('order');
      await becomes(stage, orderId, 'REJECTED');
      await silent.open();
    },
  },
];
