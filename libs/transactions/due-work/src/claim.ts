import type { Database } from '@faultline/database';
import type { Claimed } from './due-work.js';

export interface Claim {
  readonly claimed: readonly Claimed[];
  /** The database's clock, in milliseconds since the epoch. */
  readonly now: number;
  /** When the next unclaimed work of this kind is due, by the same clock; null when nothing is scheduled. */
  readonly next: number | null;
}

/**
 * Takes up to `limit` rows of a kind that are due and that nobody else holds, for `leaseMs` milliseconds of the
 * database's clock. SKIP LOCKED: two workers never wait for each other and never take the same row.
 */
export async function claim(
  database: Database,
  kind: string,
  owner: string,
  leaseMs: number,
  limit: number,
): Promise<Claim> {
  const [row] = await database.query<{ claimed: Claimed[]; now: number; next: number | null }>({
    name: 'due-claim',
    text: `WITH due AS MATERIALIZED (
  SELECT kind, key FROM due_work
  WHERE kind = $1 AND due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until <= clock_timestamp())
  ORDER BY due_at LIMIT $4
  FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE due_work
  SET owner = $2, fence = pg_current_xact_id()::text::bigint, attempt = attempt + 1,
      lease_until = clock_timestamp() + $3::int * interval '1 millisecond'
  FROM due WHERE due_work.kind = due.kind AND due_work.key = due.key
  RETURNING due_work.kind, due_work.key, due_work.attempt, due_work.fence, due_work.due_at
)
SELECT (SELECT coalesce(json_agg(json_build_object('kind', kind, 'key', key, 'attempt', attempt, 'fence', fence)
                                 ORDER BY due_at), '[]'::json) FROM claimed) AS claimed,
       floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
       (SELECT ceil(extract(epoch FROM due_at) * 1000)::bigint FROM due_work
        WHERE kind = $1 AND due_at > statement_timestamp() ORDER BY due_at LIMIT 1) AS next`,
    values: [kind, owner, leaseMs, limit],
  });
  return row ?? { claimed: [], now: 0, next: null };
}

/** Keeps failed work away for `milliseconds`, unless somebody else holds it by now. */
export async function postpone(
  database: Database,
  claimed: readonly Claimed[],
  milliseconds: number,
): Promise<void> {
  await database.query({
    name: 'due-postpone',
    text: `UPDATE due_work SET lease_until = clock_timestamp() + $4::int * interval '1 millisecond'
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS mine (kind, key, fence)
WHERE due_work.kind = mine.kind AND due_work.key = mine.key AND due_work.fence = mine.fence`,
    values: [
      claimed.map((work) => work.kind),
      claimed.map((work) => work.key),
      claimed.map((work) => work.fence),
      milliseconds,
    ],
  });
}
