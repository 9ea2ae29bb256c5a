import { depositGuards } from './catalogue/deposits.js';
import { inboxGuards } from './catalogue/inbox.js';
import { orderGuards } from './catalogue/orders.js';
import { participantGuards } from './catalogue/participants.js';
import { poisonGuards } from './catalogue/poison.js';
import { relayGuards } from './catalogue/relay.js';
import { sagaGuards } from './catalogue/sagas.js';
import type { Guard } from './guard.js';

export type { Demonstration, Guard, Protection, Stage } from './guard.js';
export { coveredIn, demonstrate, demonstrateIn, offending, takeOutOne } from './demonstrate.js';
export { openWorld, type World } from './world.js';

/** Every guard that a schedule turns red. */
export const guards: readonly Guard[] = [
  ...inboxGuards,
  ...poisonGuards,
  ...relayGuards,
  ...participantGuards,
  ...depositGuards,
  ...sagaGuards,
  ...orderGuards,
];
