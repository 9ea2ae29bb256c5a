import { randomUUID } from 'node:crypto';
import type { Database, Part } from '@faultline/database';
import type { Poisoned } from './batch.js';
import { redriveIdHeader } from './inbox.js';
import type { OutboxRow } from './outbox.js';
import { storeHeaders, type StoredHeaders } from './stored-headers.js';

const largestCopy = 256 * 1024;
const largestHeaders = 64 * 1024;
const longestText = 2000;

/** Messages that can take no effect, with all their bytes as they came: a write part named `dead-letter`. */
export function deadLetterPart(consumer: string, poisoned: readonly Poisoned[]): Part {
  return {
    name: 'dead-letter',
    text: `INSERT INTO dead_letter
  (id, consumer, topic, partition, "offset", message_id, order_id, type, key, headers, value, reason, detail)
SELECT id, $1, topic, partition, "offset", message_id, order_id, type, key, headers, value, reason, detail
FROM unnest($2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[],
            $10::jsonb[], $11::bytea[], $12::text[], $13::text[])
     AS new (id, topic, partition, "offset", message_id, order_id, type, key, headers, value, reason, detail)
RETURNING 1`,
    values: [
      consumer,
      poisoned.map((poison) => poison.deadLetterId),
      poisoned.map((poison) => poison.record.topic),
      poisoned.map((poison) => poison.record.partition),
      poisoned.map((poison) => poison.record.offset),
      poisoned.map((poison) => poison.inboxId),
      poisoned.map((poison) => storable(poison.orderId)),
      poisoned.map((poison) => storable(poison.type)),
      poisoned.map((poison) => poison.record.key),
      poisoned.map((poison) => JSON.stringify(storeHeaders(poison.record.headers))),
      poisoned.map((poison) => poison.record.value),
      poisoned.map((poison) => storable(poison.reason)),
      poisoned.map((poison) => storable(poison.detail)),
    ],
  };
}

/**
 * The record for `<topic>.dlt`: the message as it came with the reason in its headers. A value above 256 KiB stays in
 * the database alone, and the record's value names its row.
 */
export function deadLetterRecord(consumer: string, poison: Poisoned): OutboxRow {
  const { record, deadLetterId } = poison;
  const whole = record.value === null || record.value.length <= largestCopy;
  return {
    id: randomUUID(),
    topic: `${record.topic}.dlt`,
    partition: record.partition,
    key: record.key,
    value: whole ? record.value : Buffer.from(JSON.stringify({ deadLetterId })),
    headers: {
      ...(sizeOf(record.headers) <= largestHeaders ? record.headers : {}),
      faultline_dead_letter_id: deadLetterId,
      faultline_dead_letter_value: whole ? 'whole' : 'in-row',
      faultline_consumer: consumer,
      faultline_reason: poison.reason,
      faultline_detail: storable(poison.detail) ?? '',
      faultline_position: `${record.topic}/${record.partition}/${record.offset}`,
    },
  };
}

export interface DeadLetter {
  readonly id: string;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  /** Null for a message that never reached its topic. */
  readonly offset: string | null;
  readonly messageId: string;
  readonly orderId: string | null;
  readonly type: string | null;
  readonly reason: string;
  readonly detail: string;
  readonly status: 'DEAD' | 'REDRIVEN';
  readonly createdAt: string;
  readonly redrivenAt: string | null;
  readonly headers: StoredHeaders;
  /** The value's bytes in all, and its beginning as text. */
  readonly size: number;
  readonly preview: string;
}

export interface DeadLetterFilter {
  readonly status?: 'DEAD' | 'REDRIVEN';
  /** 50 by default, at most 200. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** Dead letters, the newest first. */
export async function listDeadLetters(
  database: Database,
  filter: DeadLetterFilter = {},
): Promise<{ items: DeadLetter[]; nextCursor: string | null }> {
  const limit = Math.min(Math.max(1, filter.limit ?? 50), 200);
  const [at, id] = cursorOf(filter.cursor);
  const rows = await database.query<
    Omit<DeadLetter, 'preview' | 'createdAt' | 'redrivenAt'> & {
      createdAt: number;
      redrivenAt: number | null;
      beginning: Buffer;
    }
  >({
    name: 'dead-letter-list',
    text: `SELECT id, consumer, topic, partition, "offset"::text AS "offset", message_id AS "messageId",
       order_id AS "orderId", type, reason, detail, status, headers,
       floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
       floor(extract(epoch FROM redriven_at) * 1000)::bigint AS "redrivenAt",
       coalesce(octet_length(value), 0) AS size, coalesce(substring(value FOR 500), '') AS beginning
FROM dead_letter
WHERE ($1::text IS NULL OR status = $1)
  AND ($2::float8 IS NULL OR (created_at, id) < (to_timestamp($2::float8 / 1000), $3::uuid))
ORDER BY created_at DESC, id DESC LIMIT $4`,
    values: [filter.status ?? null, at, id, limit + 1],
  });
  const items = rows.slice(0, limit).map(({ beginning, createdAt, redrivenAt, ...row }): DeadLetter => ({
    ...row,
    createdAt: new Date(createdAt).toISOString(),
    redrivenAt: redrivenAt === null ? null : new Date(redrivenAt).toISOString(),
    preview: beginning.toString('utf8'),
  }));
  const last = items.at(-1);
  return {
    items,
    nextCursor: rows.length > limit && last ? `${Date.parse(last.createdAt)}_${last.id}` : null,
  };
}

export type Redriven = 'REDRIVEN' | 'ALREADY_REDRIVEN' | 'UNKNOWN';

/**
 * Sends a dead letter again, as it came and under the id it had, and opens the inbox for it once more. Only an outcome
 * `dead-lettered` is opened: what had its effect keeps it. Of two redrives of one letter the second does nothing.
 */
export async function redrive(database: Database, id: string): Promise<Redriven> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return 'UNKNOWN';
  const sent = await database.write([
    {
      name: 'redriven',
      text: `UPDATE dead_letter SET status = 'REDRIVEN', redriven_at = clock_timestamp()
WHERE id = $1::uuid AND status = 'DEAD'
RETURNING consumer, topic, partition, message_id, key, headers, value`,
      values: [id],
    },
    {
      name: 'reopened',
      text: `DELETE FROM inbox USING redriven
WHERE inbox.consumer = redriven.consumer AND inbox.message_id = redriven.message_id AND inbox.outcome = 'dead-lettered'
RETURNING 1`,
      values: [],
    },
    {
      name: 'resent',
      // A message id with a slash is a position in the log: the message has none of its own and must be told its old one.
      text: `INSERT INTO outbox (id, topic, partition, key, headers, value)
SELECT $1::uuid, topic, partition, key,
       CASE WHEN message_id LIKE '%/%' THEN headers || jsonb_build_object($2::text, message_id) ELSE headers END, value
FROM redriven
RETURNING 1`,
      values: [randomUUID(), redriveIdHeader],
    },
  ]);
  if (sent['resent'] === 1) return 'REDRIVEN';
  const known = await database.query({
    name: 'dead-letter-exists',
    text: 'SELECT 1 FROM dead_letter WHERE id = $1::uuid',
    values: [id],
  });
  return known.length > 0 ? 'ALREADY_REDRIVEN' : 'UNKNOWN';
}

/** Text that the database takes, whatever a stranger wrote. */
function storable<T extends string | null>(text: T): T {
  return (text === null ? null : text.slice(0, longestText).replaceAll('\u0000', '\uFFFD')) as T;
}

function sizeOf(headers: Readonly<Record<string, Buffer>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

function cursorOf(cursor: string | undefined): [number | null, string | null] {
  const match = /^(\d{1,15})_([0-9a-f-]{36})$/.exec(cursor ?? '');
  return match ? [Number(match[1]), match[2] ?? null] : [null, null];
}
