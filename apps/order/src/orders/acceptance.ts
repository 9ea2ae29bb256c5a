import type { Protocol } from '@faultline/contracts';
import {
  blamesItsData,
  databaseClock,
  readTogether,
  sqlState,
  type Database,
  type Part,
} from '@faultline/database';
import { schedulePart } from '@faultline/due-work';
import { journalPart } from '@faultline/journal';
import { outboxPart, type OutgoingMessage } from '@faultline/outbox';
import type { OrderProtocol } from '../protocols/protocol.js';
import { GroupCommit, type Outcome } from './group-commit.js';
import type { Order } from './order.js';
import { findOrders, insertOrders } from './order.store.js';
import { orderFrom, type Placement } from './placement.js';

export type Accepted =
  | { readonly accepted: Order }
  /** The key was used before, for the same body. */
  | { readonly replayed: Order }
  /** The key was used before, for another body. */
  | { readonly conflict: true };

interface KnownKey {
  readonly key: string;
  readonly bodyHash: string;
  readonly orderId: string;
  /** Bound more than 24 hours ago: free again. */
  readonly expired: boolean;
}

export interface AcceptanceOptions {
  readonly database: Database;
  readonly protocols: ReadonlyMap<Protocol, OrderProtocol>;
  readonly source: string;
  readonly partitionsOf: (topic: string) => number;
  /** Called after a commit that wrote to the outbox. */
  readonly committed: () => void;
}

/**
 * Makes orders durable: key, hash of the body, order, the protocol's own rows and its first messages are one statement
 * and so one transaction. Requests that wait together share it. Only an accepted order binds its key.
 */
export class Acceptance {
  readonly #commits: GroupCommit<Placement, Accepted>;

  constructor(private readonly options: AcceptanceOptions) {
    this.#commits = new GroupCommit((placements) => this.#acceptTogether(placements), {
      atMost: 64,
      linger: { above: 6, milliseconds: 3 },
    });
  }

  /** Throws DatabaseUnavailable when nothing was accepted, OutcomeUnknown when only the same key can tell. */
  accept(placement: Placement): Promise<Accepted> {
    return this.#commits.add(placement);
  }

  /** What the key stands for already; null when it is free. */
  async find(key: string, bodyHash: string): Promise<Accepted | null> {
    const [known] = await this.options.database.query<{ keys: KnownKey[] }>(readTogether([knownKeys([key])]));
    const found = known?.keys[0];
    return found && !found.expired ? this.#replay(found, bodyHash) : null;
  }

  async #replay(known: KnownKey, bodyHash: string): Promise<Accepted> {
    if (known.bodyHash !== bodyHash) return { conflict: true };
    const [order] = await findOrders(this.options.database, [known.orderId]);
    if (!order) throw new Error(`key of order ${known.orderId} is bound and the order is missing`);
    return { replayed: order };
  }

  /** Each request gets its own outcome: what was committed in one round is not taken back by a failure in the next. */
  async #acceptTogether(placements: readonly Placement[]): Promise<Outcome<Accepted>[]> {
    const outcomes = new Map<Placement, Outcome<Accepted>>();
    let open = placements;
    while (open.length > 0) {
      try {
        await this.#round(open, outcomes);
      } catch (error) {
        for (const placement of open) if (!outcomes.has(placement)) outcomes.set(placement, { error });
      }
      open = open.filter((placement) => !outcomes.has(placement));
    }
    return placements.flatMap((placement) => outcomes.get(placement) ?? []);
  }

  /** Looks up the keys, replays those that are bound and inserts the rest. */
  async #round(open: readonly Placement[], outcomes: Map<Placement, Outcome<Accepted>>): Promise<void> {
    const { database } = this.options;
    const [loaded] = await database.query<{ clock: { now: number }[]; keys: KnownKey[] }>(
      readTogether([databaseClock, knownKeys(open.map((placement) => placement.key))]),
    );
    const now = loaded?.clock[0]?.now;
    if (now === undefined) throw new Error('the database did not tell its time');
    const expired = loaded?.keys.filter((row) => row.expired) ?? [];
    if (expired.length > 0) await database.write([forgetKeys(expired.map((row) => row.key))]);
    const known = new Map(loaded?.keys.filter((row) => !row.expired).map((row) => [row.key, row]));
    const firsts = new Map<string, Placement>();
    for (const placement of open) {
      const bound = known.get(placement.key);
      if (bound) outcomes.set(placement, await outcomeOf(this.#replay(bound, placement.bodyHash)));
      else if (!firsts.has(placement.key)) firsts.set(placement.key, placement);
    }
    if (firsts.size === 0) return;
    for (const [one, outcome] of await this.#insert([...firsts.values()], now)) outcomes.set(one, outcome);
    // A twin in the same group shares its sibling's fate, whatever the database does next.
    for (const placement of open) {
      const first = firsts.get(placement.key);
      const fate = first && outcomes.get(first);
      if (fate && !outcomes.has(placement)) outcomes.set(placement, twinOutcome(placement, first, fate));
    }
  }

  /** Says nothing of any when a twin elsewhere bound one of the keys first: the caller looks again. */
  async #insert(placements: readonly Placement[], now: number): Promise<Map<Placement, Outcome<Accepted>>> {
    try {
      const orders = new Map(placements.map((placement) => [placement, this.#orderFrom(placement, now)]));
      await this.options.database.write(this.#parts(orders, now));
      this.options.committed();
      return new Map([...orders].map(([placement, order]) => [placement, { answer: { accepted: order } }]));
    } catch (error) {
      if (isKeyTaken(error)) return new Map();
      const [only] = placements;
      if (only && placements.length === 1) return new Map([[only, { error }]]);
      // One request's data made the statement fail: its neighbours must not pay for it.
      if (blamesItsData(error)) {
        const alone = new Map<Placement, Outcome<Accepted>>();
        for (const placement of placements) {
          for (const [one, outcome] of await this.#insert([placement], now)) alone.set(one, outcome);
        }
        return alone;
      }
      throw error;
    }
  }

  #orderFrom(placement: Placement, now: number): Order {
    return orderFrom(placement, now, this.#protocol(placement.body.protocol).deadline);
  }

  #protocol(name: Protocol): OrderProtocol {
    const protocol = this.options.protocols.get(name);
    if (!protocol) throw new Error(`no protocol ${name}`);
    return protocol;
  }

  #parts(placed: ReadonlyMap<Placement, Order>, now: number): Part[] {
    const orders = [...placed.values()];
    const byProtocol = Map.groupBy(orders, (order) => order.protocol);
    const beginnings = [...byProtocol].map(([name, carried]) => this.#protocol(name).begin(carried, now));
    const messages: OutgoingMessage[] = beginnings.flatMap((beginning) => beginning.messages);
    const { source, partitionsOf } = this.options;
    return [
      bindKeys([...placed], now),
      insertOrders(orders),
      ...beginnings.flatMap((beginning) => beginning.parts),
      schedulePart(beginnings.flatMap((beginning) => beginning.due)),
      journalPart(
        orders.map((order) => ({
          orderId: order.orderId,
          at: now,
          what: 'place-order',
          messageId: order.orderId,
          causationId: null,
          attempt: 1,
          outcome: 'PENDING/NONE',
          detail: { protocol: order.protocol, total: order.total, priceSource: order.priceSource },
        })),
      ),
      outboxPart(messages, { source, partitionsOf, now }),
    ];
  }
}

function twinOutcome(twin: Placement, first: Placement, fate: Outcome<Accepted>): Outcome<Accepted> {
  if ('error' in fate) return fate;
  if (!('accepted' in fate.answer)) return fate;
  return {
    answer: twin.bodyHash === first.bodyHash ? { replayed: fate.answer.accepted } : { conflict: true },
  };
}

/** Another transaction bound one of the keys first. Any other row that exists already is a fault, and no reason to look again. */
function isKeyTaken(error: unknown): boolean {
  return (
    sqlState(error) === '23505' &&
    error instanceof Error &&
    'constraint' in error &&
    error.constraint === 'idempotency_key_pkey'
  );
}

/** Forgets keys after their 24 hours; answers how many. One that is used again before that is forgotten as it comes. */
export async function forgetExpiredKeys(database: Database): Promise<number> {
  const { 'key-sweep': forgotten = 0 } = await database.write([
    {
      name: 'key-sweep',
      text: `DELETE FROM idempotency_key WHERE created_at < clock_timestamp() - interval '24 hours' RETURNING 1`,
      values: [],
    },
  ]);
  return forgotten;
}

async function outcomeOf<Answer>(promise: Promise<Answer>): Promise<Outcome<Answer>> {
  try {
    return { answer: await promise };
  } catch (error) {
    return { error };
  }
}

/** Rows are KnownKey. */
function knownKeys(keys: readonly string[]): Part {
  return {
    name: 'keys',
    text: `SELECT key, body_hash AS "bodyHash", order_id AS "orderId",
                  created_at < clock_timestamp() - interval '24 hours' AS expired
           FROM idempotency_key WHERE key = ANY($1::text[])`,
    values: [[...keys]],
  };
}

function forgetKeys(keys: readonly string[]): Part {
  return {
    name: 'key-forget-these',
    text: `DELETE FROM idempotency_key
           WHERE key = ANY($1::text[]) AND created_at < clock_timestamp() - interval '24 hours' RETURNING 1`,
    values: [[...keys]],
  };
}

/** No ON CONFLICT: a key that was bound in between fails the statement, and nothing of the group is half accepted. */
function bindKeys(placed: readonly [Placement, Order][], now: number): Part {
  return {
    name: 'key-bind',
    text: `INSERT INTO idempotency_key (key, body_hash, order_id, created_at)
           SELECT key, body_hash, order_id, to_timestamp($4::float8 / 1000)
           FROM unnest($1::text[], $2::text[], $3::uuid[]) AS new (key, body_hash, order_id)
           ORDER BY key
           RETURNING 1`,
    values: [
      placed.map(([placement]) => placement.key),
      placed.map(([placement]) => placement.bodyHash),
      placed.map(([, order]) => order.orderId),
      now,
    ],
  };
}
