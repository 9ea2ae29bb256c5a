import type { Database } from '@faultline/database';

// Few enough that a sweep holds no row for long; a sweep repeats until it has caught up.
const atOnce = 5000;

/**
 * Forgets inbox rows older than `olderThanMs` milliseconds, and answers how many. Keep them longer than the topics keep
 * their messages: a message whose row is gone would take effect again.
 */
export function sweepInbox(database: Database, olderThanMs: number): Promise<number> {
  return sweep(database, {
    name: 'inbox-sweep',
    text: `DELETE FROM inbox WHERE (consumer, message_id) IN (
  SELECT consumer, message_id FROM inbox WHERE at < clock_timestamp() - $1::float8 * interval '1 millisecond'
  ORDER BY at LIMIT $2)
RETURNING 1`,
    values: [olderThanMs, atOnce],
  });
}

/** Forgets dead letters that were redriven more than `olderThanMs` milliseconds ago, and answers how many. */
export function sweepRedriven(database: Database, olderThanMs: number): Promise<number> {
  return sweep(database, {
    name: 'dead-letter-sweep',
    text: `DELETE FROM dead_letter WHERE id IN (
  SELECT id FROM dead_letter
  WHERE status = 'REDRIVEN' AND redriven_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
  LIMIT $2)
RETURNING 1`,
    values: [olderThanMs, atOnce],
  });
}

async function sweep(
  database: Database,
  part: { readonly name: string; readonly text: string; readonly values: readonly unknown[] },
): Promise<number> {
  let all = 0;
  for (;;) {
    const { [part.name]: gone = 0 } = await database.write([part]);
    all += gone;
    if (gone < atOnce) return all;
  }
}
