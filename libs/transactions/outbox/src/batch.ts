import { randomUUID } from 'node:crypto';
import type { Part } from '@faultline/database';
import type { ReceivedRecord } from '@faultline/messaging';
import { deadLetterPart, deadLetterRecord } from './dead-letters.js';
import { headerText, type InboxEntry, inboxPart, type Outcome, seenIds } from './inbox.js';
import { outboxRows, type OutboxSettings, type OutgoingMessage, rowOf } from './outbox.js';
import type { Delivery } from './process-span.js';

/** A message that could be read. */
export interface Incoming<M> {
  readonly inboxId: string;
  readonly message: M;
  readonly record: ReceivedRecord;
  /** Its span; absent outside of consumeInSteps. */
  readonly delivery?: Delivery;
}

/** A message that cannot take effect. Order id and type are set as far as its headers could be read. */
export interface Poison {
  readonly inboxId: string;
  readonly record: ReceivedRecord;
  readonly delivery?: Delivery;
  readonly reason: string;
  readonly detail: string;
  readonly orderId: string | null;
  readonly type: string | null;
}

export interface Poisoned extends Poison {
  /** The row that keeps it. */
  readonly deadLetterId: string;
}

/** Everything that one transaction of a consumer handles. */
export interface Batch<M> {
  readonly consumer: string;
  readonly incoming: readonly Incoming<M>[];
  readonly poison: readonly Poison[];
  /** Hears of each message that this batch's transaction dead-letters; consumeInSteps logs them after its commit. */
  buried?(poisoned: Poisoned): void;
}

/** For the step's load, after its locks: which messages of the batch had their effect before. Named `seen`. */
export function seenPart(batch: Batch<unknown>): Part {
  return seenIds(
    batch.consumer,
    [...batch.incoming, ...batch.poison].map((each) => each.inboxId),
  );
}

/**
 * What becomes of each message of a batch. The step decides every one of `fresh` exactly once (applied, expired,
 * ignored or deadLetter) and saves `parts` with its effects: invariants E and D hold by this book-keeping.
 */
export class BatchRecord<M> {
  /** Not seen before and each id once, in the order of the log. */
  readonly fresh: readonly Incoming<M>[];
  readonly #consumer: string;
  readonly #poisoned: Poisoned[] = [];
  readonly #outcomes = new Map<string, Outcome>();
  readonly #tell: (poisoned: Poisoned) => void;

  /** `seen`: the rows that `seenPart` answered. */
  constructor(batch: Batch<M>, seen: readonly unknown[]) {
    this.#consumer = batch.consumer;
    this.#tell = (poisoned) => batch.buried?.(poisoned);
    const known = new Set(seen.map(messageIdOf));
    const isNew = ({ inboxId, delivery }: Pick<Incoming<M>, 'inboxId' | 'delivery'>): boolean => {
      const first = !known.has(inboxId);
      known.add(inboxId);
      if (!first) delivery?.decided('repeated');
      return first;
    };
    this.fresh = batch.incoming.filter(isNew);
    for (const poison of batch.poison.filter(isNew)) this.#bury(poison);
  }

  /** Fresh poison, and what deadLetter() added. */
  get poisoned(): readonly Poisoned[] {
    return this.#poisoned;
  }

  applied(incoming: Incoming<M>): void {
    this.#decide(incoming, 'applied');
  }

  expired(incoming: Incoming<M>): void {
    this.#decide(incoming, 'expired');
  }

  /** Not for us. */
  ignored(incoming: Incoming<M>): void {
    this.#decide(incoming, 'ignored');
  }

  /** The step found that the message can have no effect; its neighbours go on. */
  deadLetter(incoming: Incoming<M>, reason: string, detail: string): void {
    const { message: _, ...delivered } = incoming;
    this.#bury({ ...delivered, reason, detail, ...namesIn(incoming.record) });
  }

  /**
   * The write parts `inbox`, `dead-letter` and `outbox`: the outcomes, the dead letters with their `.dlt` records, and
   * the outgoing messages. Throws when a fresh message was left undecided: it would be lost in silence.
   */
  parts(outgoing: readonly OutgoingMessage[], settings: OutboxSettings): Part[] {
    const undecided = this.fresh.filter(({ inboxId }) => !this.#outcomes.has(inboxId));
    if (undecided.length > 0) {
      throw new Error(`no outcome for ${undecided.map(({ inboxId }) => inboxId).join(', ')}`);
    }
    const entries = [...this.#outcomes].map(([messageId, outcome]): InboxEntry => ({ messageId, outcome }));
    return [
      inboxPart(this.#consumer, entries),
      deadLetterPart(this.#consumer, this.#poisoned),
      outboxRows([
        ...outgoing.map((message) => rowOf(message, settings)),
        ...this.#poisoned.map((poison) => deadLetterRecord(this.#consumer, poison)),
      ]),
    ];
  }

  #bury(poison: Poison): void {
    this.#decide(poison, 'dead-lettered');
    const poisoned = { ...poison, deadLetterId: randomUUID() };
    this.#poisoned.push(poisoned);
    this.#tell(poisoned);
  }

  #decide(message: Incoming<M> | Poison, outcome: Outcome): void {
    const { inboxId, delivery } = message;
    const before = this.#outcomes.get(inboxId);
    if (before !== undefined) throw new Error(`${inboxId} is ${before} and was to be ${outcome}`);
    this.#outcomes.set(inboxId, outcome);
    delivery?.decided(outcome, 'reason' in message ? message : undefined);
  }
}

/** Order id and type as far as the headers tell them. */
export function namesIn(record: ReceivedRecord): { orderId: string | null; type: string | null } {
  return { orderId: headerText(record, 'ce_subject'), type: headerText(record, 'ce_type') };
}

function messageIdOf(row: unknown): string {
  if (typeof row === 'object' && row !== null && 'message_id' in row && typeof row.message_id === 'string') {
    return row.message_id;
  }
  throw new TypeError('a row of seenPart has a message_id');
}
