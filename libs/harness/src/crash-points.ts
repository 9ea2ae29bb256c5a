import type { Patch } from './patching/patch.js';
import type { ServiceName } from './system.js';

/** What makes a service pass a crash point. */
export type Occasion =
  /** An order that is approved. */
  | 'approved order'
  /** An order that is rejected, so that it is compensated. */
  | 'rejected order'
  /** Money for a wallet, pieces for a shelf. */
  | 'deposit'
  | 'delivery'
  /** A command that nobody answers, so that due work repeats it. */
  | 'silence';

/** A named place between two effects, where a process of the harness can be made to end itself. */
export interface CrashPoint {
  readonly name: string;
  /** The passes that are worth a crash of their own: where, by what, and on which pass since then. */
  readonly passes: readonly { readonly service: ServiceName; readonly on: Occasion; readonly pass: number }[];
  readonly patch: Patch;
}

const call = (name: string): string => `globalThis.faultlineCrashPoint('${name}');`;
const before = (name: string, file: string, statement: string): Patch => ({
  file,
  find: statement,
  replace: `${call(name)} ${statement}`,
});
const after = (name: string, file: string, statement: string): Patch => ({
  file,
  find: statement,
  replace: `${statement} ${call(name)}`,
});

const acceptance = 'apps/order/dist/orders/acceptance.js';
const sagaStep = 'apps/order/dist/protocols/saga/saga-step.js';
const consume = 'libs/transactions/outbox/dist/consume.js';
const relay = 'libs/transactions/outbox/dist/relay.js';
const worker = 'libs/transactions/due-work/dist/worker.js';
const membership = 'libs/platform/messaging/dist/membership.js';
const idempotency = 'libs/platform/service/dist/idempotency.js';

const insertOrders = 'await this.options.database.write(this.#parts(orders, now));';
const saveReplies =
  'sagas.assertSaved(await tx.write([...sagas.parts(), ...record.parts(sagas.messages, settings)]));';
const saveDue =
  'sagas.assertSaved(await tx.write([...sagas.parts(known), outboxPart(sagas.messages, settings)]));';
const saveStock = 'await tx.write([\n            ...saveParts(loaded, stock, now)';
const saveWallets = 'await tx.write([\n            ...saveParts(loaded, accounts, ledger, now)';
const runStep = 'const committed = await options.database.transaction(';
const publish = 'await sendTraced(producer, rows.map(({ record }) => record));';
const settle = 'await this.#settle(rows, held);';
const runDue = 'await this.#o.run(claimed);';
const resolved = 'resolveOffset(batch.lastOffset());';
const keepResponse = 'await tx.write([keep(key, JSON.stringify(response))]);';

/** Every step of the saga passes here: reserve, confirm and release on one side, authorize, capture and void on the other. */
const everyCommand: CrashPoint['passes'] = (['inventory', 'payment'] as const).flatMap((service) => [
  { service, on: 'approved order' as const, pass: 1 },
  { service, on: 'approved order' as const, pass: 2 },
]);
const compensation = { service: 'inventory', on: 'rejected order', pass: 2 } as const;
/** Two answers decide an approved order, two end it. */
const everyReply: CrashPoint['passes'] = [1, 2, 3, 4].map((pass) => ({
  service: 'order',
  on: 'approved order',
  pass,
}));

/**
 * Every place between two effects of acceptance, relay, inbox, saga and due work. A step saves its domain rows, its
 * journal, its inbox and its outbox in one statement: between those there is no place at all.
 */
export const crashPoints: readonly CrashPoint[] = [
  {
    name: 'before-order-insert',
    passes: [{ service: 'order', on: 'approved order', pass: 1 }],
    patch: before('before-order-insert', acceptance, insertOrders),
  },
  {
    name: 'after-order-commit-before-answer',
    passes: [{ service: 'order', on: 'approved order', pass: 1 }],
    patch: after('after-order-commit-before-answer', acceptance, insertOrders),
  },
  {
    name: 'after-claim-before-publish',
    passes: [{ service: 'order', on: 'approved order', pass: 1 }],
    patch: before('after-claim-before-publish', relay, publish),
  },
  {
    name: 'after-publish-before-delete',
    passes: [
      { service: 'order', on: 'approved order', pass: 1 },
      { service: 'order', on: 'approved order', pass: 2 },
      { service: 'inventory', on: 'approved order', pass: 1 },
      { service: 'payment', on: 'approved order', pass: 2 },
    ],
    patch: before('after-publish-before-delete', relay, settle),
  },
  {
    name: 'after-delete',
    passes: [{ service: 'inventory', on: 'approved order', pass: 1 }],
    patch: after('after-delete', relay, settle),
  },
  {
    name: 'after-receive-before-transaction',
    passes: [...everyCommand, { service: 'order', on: 'approved order', pass: 1 }],
    patch: before('after-receive-before-transaction', consume, runStep),
  },
  {
    name: 'after-stock-loaded-before-saved',
    passes: [{ service: 'inventory', on: 'approved order', pass: 1 }, compensation],
    patch: before('after-stock-loaded-before-saved', 'apps/inventory/dist/stock/stock.step.js', saveStock),
  },
  {
    name: 'after-wallets-loaded-before-saved',
    passes: [
      { service: 'payment', on: 'approved order', pass: 1 },
      { service: 'payment', on: 'rejected order', pass: 1 },
    ],
    patch: before(
      'after-wallets-loaded-before-saved',
      'apps/payment/dist/wallets/wallet.step.js',
      saveWallets,
    ),
  },
  {
    name: 'after-replies-decided-before-saved',
    passes: everyReply,
    patch: before('after-replies-decided-before-saved', sagaStep, saveReplies),
  },
  {
    name: 'after-save-before-commit',
    passes: [
      ...everyCommand,
      ...everyReply,
      compensation,
      { service: 'order', on: 'rejected order', pass: 2 },
    ],
    patch: {
      file: consume,
      find: '(tx) => options.step(tx, heard)',
      replace: `async (tx) => { const told = await options.step(tx, heard); ${call('after-save-before-commit')} return told; }`,
    },
  },
  {
    name: 'after-commit-before-offset',
    passes: [...everyCommand, ...everyReply, compensation],
    patch: {
      file: consume,
      find: 'for (const poisoned of buried)',
      replace: `${call('after-commit-before-offset')} for (const poisoned of buried)`,
    },
  },
  {
    name: 'after-offset-resolved-before-committed',
    passes: [
      { service: 'inventory', on: 'approved order', pass: 1 },
      { service: 'order', on: 'approved order', pass: 1 },
    ],
    patch: after('after-offset-resolved-before-committed', membership, resolved),
  },
  {
    name: 'after-due-claim-before-run',
    passes: [{ service: 'order', on: 'silence', pass: 1 }],
    patch: before('after-due-claim-before-run', worker, runDue),
  },
  {
    name: 'after-due-decided-before-saved',
    passes: [{ service: 'order', on: 'silence', pass: 1 }],
    patch: before('after-due-decided-before-saved', sagaStep, saveDue),
  },
  {
    name: 'after-due-saved-before-commit',
    passes: [{ service: 'order', on: 'silence', pass: 1 }],
    patch: after('after-due-saved-before-commit', sagaStep, saveDue),
  },
  {
    name: 'after-due-commit',
    passes: [{ service: 'order', on: 'silence', pass: 1 }],
    patch: after('after-due-commit', worker, runDue),
  },
  {
    name: 'after-effect-before-response-kept',
    passes: [
      { service: 'payment', on: 'deposit', pass: 1 },
      { service: 'inventory', on: 'delivery', pass: 1 },
    ],
    patch: before('after-effect-before-response-kept', idempotency, keepResponse),
  },
  {
    name: 'after-response-kept-before-commit',
    passes: [
      { service: 'payment', on: 'deposit', pass: 1 },
      { service: 'inventory', on: 'delivery', pass: 1 },
    ],
    patch: after('after-response-kept-before-commit', idempotency, keepResponse),
  },
];

/** All of them at once: a system that has these crashes only where it is armed. */
export const crashPointPatches: readonly Patch[] = crashPoints.map(({ patch }) => patch);
