import { partitionFor, encodeHeaders } from '@faultline/messaging';
import type { Database, Part } from '@faultline/database';
import { storeHeaders } from './stored-headers.js';

/** A message that a step sends with the commit of its effect. Its key is the order id. */
export interface OutgoingMessage {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: unknown;
  readonly orderId: string;
  /** UUIDv7, made by whoever decided: a repeated save must not make a second message. */
  readonly id: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  /** Milliseconds since the epoch, by the database's clock; null when the work never expires. */
  readonly deadline: number | null;
  readonly traceparent: string | null;
}

export interface OutboxSettings {
  /** CloudEvents source. */
  readonly source: string;
  partitionsOf(topic: string): number;
  /** Milliseconds since the epoch, by the database's clock. */
  readonly now: number;
}

export interface OutboxRow {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

/** The broker would never take it, so it must not be written: a row nobody can publish. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

export const largestMessage = 512 * 1024;

/**
 * Transactional outbox (Richardson, "Microservices Patterns", 3.3.7): messages as a write part named `outbox`, committed
 * with the effect that they tell of. Rows keep the order of the messages. Lock the aggregate before: the order of two
 * messages about one order is then the order of its changes. Throws MessageTooLarge above 512 KiB of JSON.
 */
export function outboxPart(messages: readonly OutgoingMessage[], settings: OutboxSettings): Part {
  return outboxRows(messages.map((message) => rowOf(message, settings)));
}

/** `outboxPart` for records that are not messages of a kind: dead letters, for one. */
export function outboxRows(rows: readonly OutboxRow[]): Part {
  return {
    name: 'outbox',
    text: `INSERT INTO outbox (id, topic, partition, key, headers, value)
SELECT id, topic, partition, key, headers, value
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::jsonb[], $6::bytea[])
     WITH ORDINALITY AS new (id, topic, partition, key, headers, value, nth)
ORDER BY nth
RETURNING 1`,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.topic),
      rows.map((row) => row.partition),
      rows.map((row) => (row.key === null ? null : Buffer.from(row.key))),
      rows.map((row) => JSON.stringify(storeHeaders(row.headers))),
      rows.map((row) => row.value),
    ],
  };
}

export function rowOf(message: OutgoingMessage, settings: OutboxSettings): OutboxRow {
  const { type, topic } = message.kind;
  const value = Buffer.from(JSON.stringify(message.body));
  if (value.length > largestMessage) {
    throw new MessageTooLarge(
      `${type} of order ${message.orderId} has ${value.length} bytes, at most ${largestMessage} are sent`,
    );
  }
  return {
    id: message.id,
    topic,
    partition: partitionFor(message.orderId, settings.partitionsOf(topic)),
    key: message.orderId,
    value,
    headers: encodeHeaders({
      id: message.id,
      type,
      source: settings.source,
      subject: message.orderId,
      time: new Date(settings.now).toISOString(),
      correlationId: message.correlationId,
      causationId: message.causationId,
      deadline: message.deadline,
      traceparent: message.traceparent,
    }),
  };
}

/** How many rows wait for the relay, and for how many seconds the oldest has; null when none does. */
export async function outboxDepth(
  database: Database,
): Promise<{ depth: number; oldestAgeSeconds: number | null }> {
  const [row] = await database.query<{ depth: number; oldestAgeSeconds: number | null }>({
    name: 'outbox-depth',
    text: `SELECT count(*)::int AS depth,
       greatest(0, extract(epoch FROM clock_timestamp() - min(created_at)))::float8 AS "oldestAgeSeconds"
FROM outbox`,
    values: [],
  });
  return row?.depth ? row : { depth: 0, oldestAgeSeconds: null };
}
