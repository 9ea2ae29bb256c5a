import type { Part } from '@faultline/database';
import type { ReceivedRecord } from '@faultline/messaging';
import { plainText } from './stored-headers.js';

/** How a message ended for a consumer. Only what is dead-lettered can be opened again, by a redrive. */
export type Outcome = 'applied' | 'expired' | 'ignored' | 'dead-lettered';

export interface InboxEntry {
  readonly messageId: string;
  readonly outcome: Outcome;
}

/** Carries the id of a redriven message that has none of its own. */
export const redriveIdHeader = 'faultline_redrive_id';

const usableId = /^[0-9A-Za-z][0-9A-Za-z._:~-]{0,199}$/;
const positionId = /^[0-9A-Za-z._-]{1,249}\/\d{1,10}\/\d{1,19}$/;

/**
 * What the inbox knows a message by: its CloudEvents id, else the place where it first lay in the log. The two can not
 * be mistaken for each other: a usable id has no slash.
 */
export function inboxIdOf(record: ReceivedRecord): { readonly inboxId: string; readonly ownId: boolean } {
  const id = headerText(record, 'ce_id');
  if (id !== null && usableId.test(id)) return { inboxId: id, ownId: true };
  const redriven = headerText(record, redriveIdHeader);
  if (redriven !== null && positionId.test(redriven)) return { inboxId: redriven, ownId: false };
  return { inboxId: `${record.topic}/${record.partition}/${record.offset}`, ownId: false };
}

/** A header as text; null when it is missing, or cannot be text in the database. */
export function headerText(record: ReceivedRecord, name: string): string | null {
  const value = record.headers[name];
  return value === undefined ? null : plainText(value);
}

/**
 * Idempotent receiver (Hohpe & Woolf, "Enterprise Integration Patterns"): a write part named `inbox`. No ON CONFLICT:
 * of two transactions with one message the second fails with 23505, and its whole effect with it.
 */
export function inboxPart(consumer: string, entries: readonly InboxEntry[]): Part {
  // Sorted: two batches that share messages then wait for each other in one direction only.
  const sorted = [...entries].sort((a, b) => (a.messageId < b.messageId ? -1 : 1));
  return {
    name: 'inbox',
    text: `INSERT INTO inbox (consumer, message_id, outcome)
SELECT $1, message_id, outcome
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS new (message_id, outcome, nth)
ORDER BY nth
RETURNING 1`,
    values: [consumer, sorted.map((entry) => entry.messageId), sorted.map((entry) => entry.outcome)],
  };
}

/** A read part named `seen` for the step's load: rows { message_id } of the given ids that had an outcome before. */
export function seenIds(consumer: string, messageIds: readonly string[]): Part {
  return {
    name: 'seen',
    text: `SELECT message_id FROM inbox WHERE consumer = $1 AND message_id = ANY($2::text[])`,
    values: [consumer, [...new Set(messageIds)]],
  };
}
