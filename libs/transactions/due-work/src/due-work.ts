import type { Database, Part } from '@faultline/database';

/** Work that must be done, but not before its time. */
export interface DueItem {
  readonly kind: string;
  readonly key: string;
  /** Milliseconds since the epoch, by the database's clock. */
  readonly dueAt: number;
}

/** Work that this process may do until its lease ends. Only a transaction that proves the fence may have an effect. */
export interface Claimed {
  readonly kind: string;
  readonly key: string;
  /** How often it was claimed since it was scheduled: 1 is the first. */
  readonly attempt: number;
  readonly fence: number;
}

/**
 * Schedules work, or moves what is scheduled under the same kind and key: a write part named `due-schedule`. Whoever
 * had claimed it before loses it, so that a run which did not see the new time cannot finish it away.
 */
export function schedulePart(items: readonly DueItem[]): Part {
  return {
    name: 'due-schedule',
    // The fence is the transaction's own number: unlike a counter it never repeats when a row is deleted and made anew.
    text: `INSERT INTO due_work AS known (kind, key, due_at, fence)
SELECT kind, key, to_timestamp(due_at / 1000), pg_current_xact_id()::text::bigint
FROM unnest($1::text[], $2::text[], $3::float8[]) AS new (kind, key, due_at)
ORDER BY kind, key
ON CONFLICT (kind, key) DO UPDATE
SET due_at = excluded.due_at, fence = excluded.fence, attempt = 0, owner = NULL, lease_until = NULL
RETURNING 1`,
    values: [items.map((item) => item.kind), items.map((item) => item.key), items.map((item) => item.dueAt)],
  };
}

/** Forgets work that is done or no longer wanted: a write part named `due-finish`. */
export function finishPart(items: readonly { readonly kind: string; readonly key: string }[]): Part {
  return {
    name: 'due-finish',
    text: `DELETE FROM due_work
WHERE (kind, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
RETURNING 1`,
    values: [items.map((item) => item.kind), items.map((item) => item.key)],
  };
}

/**
 * For a step's load, after its other locks: the claimed rows that are still held, locked until the transaction ends.
 * A read part named `due-held`; its rows are { kind, key }. For a run that does what it still may and leaves the rest.
 */
export function heldPart(claimed: readonly Claimed[]): Part {
  return {
    name: 'due-held',
    text: `SELECT due_work.kind, due_work.key
FROM due_work
JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS mine (kind, key, fence) USING (kind, key)
WHERE due_work.fence = mine.fence
ORDER BY due_work.kind, due_work.key
FOR UPDATE OF due_work`,
    values: [
      claimed.map((work) => work.kind),
      claimed.map((work) => work.key),
      claimed.map((work) => work.fence),
    ],
  };
}

/** How much is scheduled, and for how many seconds the oldest has been overdue (0 when nothing is). */
export async function dueWorkDepth(database: Database): Promise<{ depth: number; overdueSeconds: number }> {
  const [row] = await database.query<{ depth: number; overdueSeconds: number }>({
    name: 'due-depth',
    text: `SELECT count(*)::int AS depth,
       greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0))::float8 AS "overdueSeconds"
FROM due_work`,
    values: [],
  });
  return row ?? { depth: 0, overdueSeconds: 0 };
}
