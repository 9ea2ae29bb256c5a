import type { Database, Part } from '@faultline/database';

/** One thing a service did for an order, as its transaction writes it down. */
export interface JournalRow {
  readonly orderId: string;
  /** Milliseconds since the epoch, by the database's clock. */
  readonly at: number;
  readonly what: string;
  readonly messageId: string | null;
  readonly causationId: string | null;
  readonly attempt: number;
  readonly outcome: string;
  readonly detail?: unknown;
}

/** A row as the journal answers it: `at` is an ISO 8601 time, `detail` is null when there was none. */
export interface JournalEntryRow extends Omit<JournalRow, 'at' | 'detail'> {
  readonly at: string;
  readonly detail: unknown;
}

/**
 * What a step did, as a write part named `journal` for the transaction of its effect: an effect without its row, or a
 * row without its effect, cannot be committed. Rows keep the order of the entries.
 */
export function journalPart(entries: readonly JournalRow[]): Part {
  return {
    name: 'journal',
    text: `INSERT INTO journal (order_id, at, what, message_id, causation_id, attempt, outcome, detail)
SELECT order_id, to_timestamp(at / 1000), what, message_id, causation_id, attempt, outcome, detail
FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::jsonb[])
     WITH ORDINALITY AS new (order_id, at, what, message_id, causation_id, attempt, outcome, detail, nth)
ORDER BY nth
RETURNING 1`,
    values: [
      entries.map((entry) => entry.orderId),
      entries.map((entry) => entry.at),
      entries.map((entry) => entry.what),
      entries.map((entry) => entry.messageId),
      entries.map((entry) => entry.causationId),
      entries.map((entry) => entry.attempt),
      entries.map((entry) => entry.outcome),
      entries.map((entry) => (entry.detail === undefined ? null : storable(entry.detail))),
    ],
  };
}

/** jsonb takes neither lone surrogates nor U+0000, and a note must never be what its effect fails by. */
function storable(detail: unknown): string {
  return JSON.stringify(detail, (_, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed().replaceAll('\u0000', '\uFFFD') : value,
  );
}

/** Everything this service did for an order, in the order it was written. Empty for an order it never met. */
export async function journalOf(database: Database, orderId: string): Promise<JournalEntryRow[]> {
  const rows = await database.query<Omit<JournalEntryRow, 'at'> & { at: number }>({
    name: 'journal-of',
    text: `SELECT order_id AS "orderId", floor(extract(epoch FROM at) * 1000)::bigint AS at, what,
       message_id AS "messageId", causation_id AS "causationId", attempt, outcome, detail
FROM journal WHERE order_id = $1::uuid ORDER BY id`,
    values: [orderId],
  });
  return rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() }));
}
