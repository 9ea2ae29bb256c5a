export { BatchRecord, seenPart, type Batch, type Incoming, type Poison, type Poisoned } from './batch.js';
export { consumeInSteps, type StepConsumerOptions } from './consume.js';
export {
  listDeadLetters,
  redrive,
  type DeadLetter,
  type DeadLetterFilter,
  type Redriven,
} from './dead-letters.js';
export {
  messageDecoder,
  type Decoded,
  type DecodableKind,
  type MessageOf,
  type Unreadable,
} from './decode.js';
export { sweepInbox, sweepRedriven } from './housekeeping.js';
export { type Log } from './log.js';
export {
  MessageTooLarge,
  outboxDepth,
  outboxPart,
  type OutboxSettings,
  type OutgoingMessage,
} from './outbox.js';
export { whileProcessing } from './process-span.js';
export { Relay, type RelayOptions, type RelayStatus } from './relay.js';
