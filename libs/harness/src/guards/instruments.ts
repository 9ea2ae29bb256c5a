import type { OrderBody } from '../client.js';
import { crashPoints } from '../crash-points.js';
import type { Patch } from '../patching/patch.js';
import { barrier } from './barrier.js';

// The built files that guards and instruments lie in.
export const files = {
  acceptance: 'apps/order/dist/orders/acceptance.js',
  sagaStep: 'apps/order/dist/protocols/saga/saga-step.js',
  stock: 'apps/inventory/dist/stock/stock.js',
  stockStep: 'apps/inventory/dist/stock/stock.step.js',
  stockStore: 'apps/inventory/dist/stock/stock.store.js',
  reservation: 'apps/inventory/dist/stock/reservation.js',
  wallet: 'apps/payment/dist/wallets/wallet.js',
  walletStep: 'apps/payment/dist/wallets/wallet.step.js',
  walletStore: 'apps/payment/dist/wallets/wallet.store.js',
  authorization: 'apps/payment/dist/wallets/authorization.js',
  ledger: 'apps/payment/dist/wallets/ledger.js',
  batch: 'libs/transactions/outbox/dist/batch.js',
  consume: 'libs/transactions/outbox/dist/consume.js',
  deadLetters: 'libs/transactions/outbox/dist/dead-letters.js',
  inbox: 'libs/transactions/outbox/dist/inbox.js',
  outbox: 'libs/transactions/outbox/dist/outbox.js',
  relay: 'libs/transactions/outbox/dist/relay.js',
  waiting: 'libs/transactions/outbox/dist/waiting.js',
  dueWork: 'libs/transactions/due-work/dist/due-work.js',
  dueWorker: 'libs/transactions/due-work/dist/worker.js',
  decide: 'libs/transactions/saga/dist/decide.js',
  sagaStore: 'libs/transactions/saga/dist/store.js',
  database: 'libs/platform/database/dist/database.js',
  membership: 'libs/platform/messaging/dist/membership.js',
  producer: 'libs/platform/messaging/dist/producer.js',
  broker: 'libs/platform/service/dist/broker.js',
  idempotency: 'libs/platform/service/dist/idempotency.js',
} as const;

/** The patch that puts one of the known crash points in. */
export function crashPoint(name: string): Patch {
  const found = crashPoints.find((point) => point.name === name);
  if (!found) throw new Error(`there is no crash point ${name}`);
  return found.patch;
}

/** Replaces a text of a built file. */
export const patch = (file: string, find: string, replace: string): Patch => ({ file, find, replace });
/** Puts code before a text of a built file. */
export const before = (file: string, find: string, code: string): Patch =>
  patch(file, find, `${code} ${find}`);

/** Silence is answered with a repeat after one second instead of ten. */
export const repeatSoon: Patch = patch(files.decide, 'Math.min(10_000 *', 'Math.min(1_000 *');
/** Has little time. */
export const hurried = 'customer-7';
/** Has bad luck: with the bug below payment throws on every authorize of this customer. */
export const unlucky = 'customer-13';
/** Orders of these customers are decided within so many seconds instead of 120. */
export const decideWithin = (seconds: number): Patch =>
  patch(
    files.decide,
    'deadline: now + definition.deadline,',
    `deadline: now + (${JSON.stringify([hurried, unlucky])}.includes(facts.customerId) ? ${seconds * 1000} : definition.deadline),`,
  );
/** Leases of the relay end after two seconds instead of five, so that nobody waits for long. */
export const shortRelayLease: Patch = patch(
  files.relay,
  'options.leaseMs ?? 5000',
  'options.leaseMs ?? 2000',
);
export const shortDueLease: Patch = patch(
  files.dueWorker,
  'options.leaseMs ?? 5000',
  'options.leaseMs ?? 2000',
);

/** A relay that can be held before it takes what waits: its service's messages are late. */
export const slowRelay: Patch = before(
  files.relay,
  'const rows = await this.#take(held);',
  barrier('before-take', 'this.#o.database'),
);

/** A bug. */
export const authorizeFails: Patch = before(
  files.walletStep,
  'const { amount, customerId: payer } = command.body;',
  `if (command.body.customerId === '${unlucky}') throw new Error('a bug');`,
);

/** The message that the bug kept a service from handling, as the audit lists it. */
export const deadLetterOfTheBug = /^D: dead letter [-0-9a-f]+: \w+ could not take .*: Error$/;

export const aMug: OrderBody = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };
/** To be decided soon: see decideWithin. */
export const aHurriedMug: OrderBody = { ...aMug, customerId: hurried };
/** Payment refuses it: no money. */
export const unpaid: OrderBody = { ...aMug, customerId: 'customer-poor' };
