import { randomUUID } from 'node:crypto';
import type { Database } from '@faultline/database';
import type { OutgoingRecord } from '@faultline/messaging';
import type { Held } from './lease.js';
import { readHeaders, type StoredHeaders } from './stored-headers.js';

/** An outbox row that waits for its publication. */
export interface Waiting {
  readonly seq: number;
  readonly record: OutgoingRecord;
}

export interface Refused {
  readonly row: Waiting;
  readonly because: string;
}

// A produce request carries one record batch per partition, and a broker takes batches up to 1 MiB by default.
const budget = 900 * 1024;

interface Row {
  readonly seq: number;
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly headers: StoredHeaders;
  readonly value: Buffer | null;
}

const takeRows = `SELECT seq, topic, partition, key, headers, value
FROM (
  SELECT *, sum(size) OVER (ORDER BY seq) AS total
  FROM (
    SELECT seq, topic, partition, key, headers, value,
           200 + coalesce(octet_length(value), 0) + octet_length(headers::text) AS size
    FROM outbox WHERE partition = ANY($1::int[]) AND seq <> ALL($3::bigint[]) ORDER BY seq LIMIT 500
  ) AS first
) AS measured
WHERE total <= $2 OR total = size
ORDER BY seq`;

/**
 * The rows of these partitions that wait, in their order: 500 at most, and no more than one request may carry.
 * No cursor: a row with a smaller number that commits later is found all the same.
 */
export async function takeWaiting(database: Database, partitions: readonly number[]): Promise<Waiting[]> {
  const rows = await database.query<Row>({
    name: 'relay-take',
    text: takeRows,
    values: [partitions, budget, []],
  });
  return rows.map(waitingOf);
}

// Without waiting for the disk (synchronous_commit off, for this transaction alone): what a crash of the server undoes
// is a deletion, and then a message goes out once more. The rows that are read along with it do not wait, either.
const settleRows = `WITH fenced AS MATERIALIZED (
  SELECT lease.partition FROM relay_lease AS lease
  JOIN unnest($2::int[], $3::bigint[]) AS mine (partition, fence) USING (partition, fence)
  ORDER BY lease.partition
  FOR SHARE OF lease
)
DELETE FROM outbox WHERE seq = ANY($1::bigint[]) AND partition IN (SELECT partition FROM fenced)
RETURNING seq, set_config('synchronous_commit', 'off', true)`;

/**
 * Deletes exactly the rows that the broker has acknowledged, and only those whose partition is still held under its
 * fence: a relay that lost its lease can only duplicate. Never a range: a row that committed late would vanish unsent.
 * Answers how many it deleted.
 */
export async function settle(database: Database, rows: readonly Waiting[], held: Held): Promise<number> {
  const deleted = await database.query({
    name: 'relay-settle',
    text: settleRows,
    values: [rows.map(({ seq }) => seq), [...held.keys()], [...held.values()]],
  });
  return deleted.length;
}

/** `settle` and the next `takeWaiting` in one statement: one round trip less in each round of a busy relay. */
export async function settleAndTake(
  database: Database,
  rows: readonly Waiting[],
  held: Held,
): Promise<{ readonly deleted: number; readonly next: Waiting[] }> {
  const sent = rows.map(({ seq }) => seq);
  const answers = await database.query<{ deleted: number; seq: number | null } & Omit<Row, 'seq'>>({
    name: 'relay-settle-take',
    // The second part does not see what the first one deletes, so it is told to leave it out.
    text: `WITH settled AS (
${settleRows}
), next AS (
${takeRows.replaceAll(/\$(\d)/g, (_, index: string) => `$${Number(index) + 3}`)}
)
SELECT (SELECT count(*)::int FROM settled) AS deleted, next.* FROM (VALUES (1)) AS one LEFT JOIN next ON true ORDER BY seq`,
    values: [sent, [...held.keys()], [...held.values()], [...held.keys()], budget, sent],
  });
  const next = answers.flatMap(({ seq, ...row }) => (seq === null ? [] : [waitingOf({ seq, ...row })]));
  return { deleted: answers[0]?.deleted ?? 0, next };
}

function waitingOf({ seq, topic, partition, key, value, headers }: Row): Waiting {
  return { seq, record: { topic, partition, key, value, headers: readHeaders(headers) } };
}

/** Moves rows that the broker will never take to the dead letters of `relay`: deleted and kept in one statement. */
export async function setAside(database: Database, refused: readonly Refused[], held: Held): Promise<void> {
  await database.query({
    name: 'relay-set-aside',
    text: `WITH fenced AS MATERIALIZED (
  SELECT lease.partition FROM relay_lease AS lease
  JOIN unnest($2::int[], $3::bigint[]) AS mine (partition, fence) USING (partition, fence)
  ORDER BY lease.partition
  FOR SHARE OF lease
), gone AS (
  DELETE FROM outbox WHERE seq = ANY($1::bigint[]) AND partition IN (SELECT partition FROM fenced)
  RETURNING *
)
INSERT INTO dead_letter (id, consumer, topic, partition, message_id, order_id, type, key, headers, value, reason, detail)
SELECT letter.id, 'relay', topic, partition, coalesce(headers ->> 'ce_id', gone.id::text), headers ->> 'ce_subject',
       headers ->> 'ce_type', key, headers, value, 'REFUSED_BY_BROKER', letter.detail
FROM gone JOIN unnest($1::bigint[], $4::uuid[], $5::text[]) AS letter (seq, id, detail) USING (seq)`,
    values: [
      refused.map(({ row }) => row.seq),
      [...held.keys()],
      [...held.values()],
      refused.map(() => randomUUID()),
      refused.map(({ because }) => because.slice(0, 2000).replaceAll('\u0000', '\uFFFD')),
    ],
  });
}
