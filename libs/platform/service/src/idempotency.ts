import { createHash } from 'node:crypto';
import type { Part, Transaction } from '@faultline/database';
import { Problem } from '@faultline/http-server';

export interface Keyed {
  readonly key: string;
  /** Method, path and parsed body: whatever makes two requests the same one. */
  readonly request: unknown;
}

export interface Once<Response> {
  readonly response: Response;
  readonly replayed: boolean;
}

const bind = (key: string, request: string): Part => ({
  name: 'idempotency-bind',
  text: `INSERT INTO idempotency_key AS known (key, request) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET request = excluded.request, response = NULL, created_at = clock_timestamp()
  WHERE known.created_at < clock_timestamp() - interval '24 hours'
RETURNING 1`,
  values: [key, request],
});

// A few expired keys go with each new one, so that the table stays as large as a day.
const forget: Part = {
  name: 'idempotency-forget',
  text: `DELETE FROM idempotency_key WHERE key IN (
  SELECT key FROM idempotency_key WHERE created_at < clock_timestamp() - interval '25 hours'
  ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED)
RETURNING 1`,
  values: [],
};

const keep = (key: string, response: string): Part => ({
  name: 'idempotency-keep',
  text: `UPDATE idempotency_key SET response = $2::jsonb WHERE key = $1 RETURNING 1`,
  values: [key, response],
});

/**
 * Does the work once per key within 24 hours, in the caller's transaction: key and effect commit together or not at all
 * (Stripe's idempotency keys). A repeated request gets the response of the first; a twin that is under way is waited
 * for on the key's row. Throws 422 when the key was used for another request. When the work throws, the key is free.
 */
export async function onlyOnce<Response>(
  tx: Transaction,
  { key, request }: Keyed,
  work: () => Promise<Response>,
): Promise<Once<Response>> {
  const hash = createHash('sha256').update(canonical(request)).digest('hex');
  const { 'idempotency-bind': bound } = await tx.write([bind(key, hash), forget]);
  if (bound === 0) {
    const [known] = await tx.query<{ request: string; response: Response }>({
      name: 'idempotency-known',
      text: 'SELECT request, response FROM idempotency_key WHERE key = $1',
      values: [key],
    });
    if (!known) throw new Error('an idempotency key vanished while it was held');
    if (known.request !== hash) {
      throw new Problem({
        status: 422,
        title: 'Idempotency-Key was used for another request',
        detail:
          'This key belongs to a request with another body or address. Repeat that one, or take a new key.',
      });
    }
    return { response: known.response, replayed: true };
  }
  const response = await work();
  await tx.write([keep(key, JSON.stringify(response))]);
  return { response, replayed: false };
}

// The order of members is the client's whim.
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
