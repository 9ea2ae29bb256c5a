import { commandDeadLettered } from '@faultline/contracts';
import type { GuardedChange, InboxRow, WrittenRow } from '../recorded-rows.js';
import type { TappedRecord } from '../tap.js';
import { inboxIdOf } from './consumption.js';
import type { KnownConsumer } from './consumers.js';
import type { JournalRow, LedgerRow } from './tables.js';
import { type Check, Rows } from './verdict.js';

/** E: no message is in a service's journal twice: the journal is written in the transaction of the effect. */
export function once(service: string, journal: readonly JournalRow[]): Check {
  const rows = new Rows();
  const byMessage = Map.groupBy(journal.filter(isEffect), ({ messageId }) => messageId);
  for (const [messageId, effects] of byMessage) {
    const what = effects.map((effect) => `${effect.what} ${effect.outcome}`).join(', then ');
    rows.expect(
      effects.length === 1,
      `${service}: ${messageId} took effect ${effects.length} times: ${what}`,
    );
  }
  return { invariant: 'E', looked: { effects: byMessage.size }, rows: rows.found };
}

/** E, by its money: no order was charged or refunded twice. */
export function charges(ledger: readonly LedgerRow[]): Check {
  const rows = new Rows();
  const ofOrders = ledger.filter(({ orderId }) => orderId !== null);
  for (const [orderId, entries] of Map.groupBy(ofOrders, (entry) => entry.orderId)) {
    for (const [kind, all] of Map.groupBy(entries, (entry) => entry.kind)) {
      const postings = new Set(all.map(({ postingId }) => postingId));
      rows.expect(postings.size === 1, `${orderId}: ${kind} was posted ${postings.size} times`);
    }
  }
  return { invariant: 'E', looked: { 'postings for orders': ofOrders.length }, rows: rows.found };
}

/** What is known of one consumer's messages. */
export interface Handling {
  readonly consumer: KnownConsumer;
  readonly tapped: readonly TappedRecord[];
  readonly inbox: readonly InboxRow[];
  readonly inboxChanges: readonly GuardedChange<InboxRow>[];
  readonly journal: readonly JournalRow[];
  /** The outbox of the consumer's service. */
  readonly written: readonly WrittenRow[];
}

/**
 * E: every message that came took effect exactly once, together with its inbox row, its journal row and, if it was a
 * command, its one reply; one that was dead-lettered or ignored took none.
 */
export function exactlyOnce(handling: Handling): Check {
  const { consumer, tapped, inbox, journal, written } = handling;
  const rows = new Rows();
  const own = inbox.filter((row) => row.consumer === consumer.name);
  const outcomes = new Map(own.map((row) => [row.messageId, row.outcome]));
  const effects = Map.groupBy(journal.filter(isEffect), ({ messageId }) => messageId);
  const replies = Map.groupBy(
    // That a command was dead-lettered is told, too, and is no answer: a redrive may still give it one.
    written.filter(
      ({ topic, id, messageId, type }) =>
        topic === 'order.replies' && id === messageId && type !== commandDeadLettered.type,
    ),
    ({ causationId }) => causationId,
  );
  const came = new Map(tapped.map((record) => [inboxIdOf(record), record]));
  for (const [id, { topic }] of came) {
    const outcome = outcomes.get(id);
    const isEffective = outcome === 'applied' || outcome === 'expired';
    const count = effects.get(id)?.length ?? 0;
    rows.expect(
      isEffective ? count === 1 : count === 0 && outcome !== undefined,
      `${consumer.name}: ${id} of ${topic} is ${outcome ?? 'not in the inbox'} and took effect ${count} times`,
    );
    if (!topic.endsWith('.commands') || !isEffective) continue;
    const answered = replies.get(id)?.length ?? 0;
    rows.expect(
      answered === 1,
      `${consumer.name}: ${id} of ${topic} is ${outcome} and was answered ${answered} times`,
    );
  }
  return {
    invariant: 'E',
    looked: { messages: came.size },
    rows: [...rows.found, ...forgotten(handling)],
  };
}

/** An outcome is for ever: only a redrive opens one again, and only that of a dead letter. */
function forgotten({ consumer, inboxChanges }: Handling): string[] {
  return inboxChanges.flatMap(({ op, before, after }) => {
    if (before?.consumer !== consumer.name) return [];
    if (op === 'DELETE' && before.outcome === 'dead-lettered') return [];
    return [
      `${consumer.name}: ${before.messageId} was ${before.outcome} and ${after ? `became ${after.outcome}` : 'was forgotten'}`,
    ];
  });
}

// What a dead letter left in the journal is no effect: a redrive may give it one.
function isEffect({ messageId, outcome }: JournalRow): boolean {
  return messageId !== null && outcome !== 'DEAD_LETTERED';
}
