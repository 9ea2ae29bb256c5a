/** A protection that no schedule here turns red, and why. */
export interface Unshown {
  readonly name: string;
  /** The file that has it, from the project's root. */
  readonly where: string;
  readonly why: string;
}

/**
 * What also protects, and breaks no invariant when it is missing, or only in a way that a schedule of seconds cannot
 * bring about. Said here, so that nobody takes the table for the whole.
 */
export const unshown: readonly Unshown[] = [
  {
    name: 'lease of the relay',
    where: 'libs/transactions/outbox/src/lease.ts',
    why: 'it saves work: without it every replica sends every row. A row leaves the outbox only when it was sent, so first deliveries keep their order even then, and the fence above is what keeps a stale relay from more than a duplicate',
  },
  {
    name: 'SKIP LOCKED of due work',
    where: 'libs/transactions/due-work/src/claim.ts',
    why: 'it saves time: workers would wait for each other instead of taking the same row',
  },
  {
    name: 'static membership',
    where: 'libs/platform/messaging/src/internals.ts',
    why: "it saves time: a successor waits for its predecessor's session, ten seconds instead of one",
  },
  {
    name: 'expiry on arrival',
    where: 'apps/inventory/src/stock/reservation.ts',
    why: 'it saves holding for nothing: what a late reserve or authorize does is undone by the release or void that follows it in its partition',
  },
  {
    name: 'attempt in a reply',
    where: 'libs/transactions/saga/src/decide.ts',
    why: 'without it the dead letter of an old sending suspends a saga until the answer to the new one comes; that answer moves it on',
  },
  {
    name: 'topics that agree with their contract',
    where: 'libs/platform/service/src/broker.ts',
    why: 'it needs two builds with two partition counts at once; its integration test stops relay and consumers by a topic of another size',
  },
  {
    name: 'second look after the lock',
    where: 'apps/inventory/src/stock/stock.store.ts',
    why: 'it needs two members that hold messages of one order at once, in the middle of a rebalance; its integration test commits a row between lock and load',
  },
  {
    name: 'heartbeats during a long batch',
    where: 'libs/platform/messaging/src/handling.ts',
    why: 'they save work: what two members handle at once is what the inbox is for',
  },
  {
    name: 'how long the inbox remembers',
    where: 'libs/platform/service/src/housekeeping.ts',
    why: 'it outlasts the topics by a day, and a day is what it would take to show',
  },
  {
    name: 'COMMIT that was answered ROLLBACK',
    where: 'libs/platform/database/src/database.ts',
    why: 'only work that swallows the failure of a statement needs it, and there is none; an integration test has some',
  },
];
