import type { Database } from '@faultline/database';

/** Which partitions this relay may publish, with the fence it must prove. */
export type Held = ReadonlyMap<number, number>;

/**
 * Leases with fencing tokens (Kleppmann, "How to do distributed locking"), one per partition number over all topics.
 * Every living relay is a member, with a heartbeat, and holds no more than its share: partitions / members, rounded up.
 * The database's clock decides when a lease or a member ends; this side counts its own monotonic clock from before it
 * asked, minus a margin, and so believes in a lease for a shorter time than the database does, whatever its wall clock
 * says.
 */
export class Leases {
  readonly #fences = new Map<number, number>();
  #validUntil = -Infinity;
  #first = true;
  #members = 1;
  readonly #margin: number;

  constructor(
    private readonly database: Database,
    private readonly owner: string,
    private readonly partitions: readonly number[],
    private readonly leaseMs: number,
  ) {
    this.#margin = leaseMs / 10;
  }

  /** What is held at this moment by this process's reckoning. */
  held(): Held {
    return performance.now() < this.#validUntil ? this.#fences : new Map();
  }

  /** Whether others have to give something back before the partitions are spread evenly. */
  wantsMore(): boolean {
    return this.held().size < Math.floor(this.partitions.length / this.#members);
  }

  /**
   * Says that this relay lives, renews what is held and takes what is free up to its share. The first call also takes
   * what this owner's name holds: that was its predecessor, and nobody need wait for a dead process.
   */
  async refresh(): Promise<void> {
    const asked = performance.now();
    if (this.#first) await this.database.query(seed(this.partitions));
    const [answer] = await this.database.query<Claimed>({
      name: 'relay-claim',
      text: claim,
      values: [
        this.owner,
        this.partitions,
        this.partitions.map((partition) => this.#fences.get(partition) ?? -1),
        this.leaseMs,
        this.#first,
      ],
    });
    this.#first = false;
    this.#members = answer?.members ?? 1;
    this.#fences.clear();
    for (const { partition, fence } of answer?.held ?? []) this.#fences.set(partition, fence);
    this.#validUntil = asked + this.leaseMs - this.#margin;
  }

  /**
   * From now on no longer held by this process's reckoning: what is more than its share. By the database's it still is,
   * until it is released: what is under way can be finished first.
   */
  dropSurplus(): Held {
    const share = Math.ceil(this.partitions.length / this.#members);
    const surplus = new Map([...this.#fences].slice(share));
    for (const partition of surplus.keys()) this.#fences.delete(partition);
    return surplus;
  }

  /** Others need not wait for these leases to end. A lease that somebody else has by now stays his. */
  async release(given: Held): Promise<void> {
    if (given.size === 0) return;
    await this.database.query({
      name: 'relay-release',
      text: `UPDATE relay_lease AS lease SET until = clock_timestamp()
FROM unnest($1::int[], $2::bigint[]) AS mine (partition, fence)
WHERE lease.partition = mine.partition AND lease.fence = mine.fence`,
      values: [[...given.keys()], [...given.values()]],
    });
  }

  /** Releases everything and is no member any more. */
  async leave(): Promise<void> {
    const fences = new Map(this.#fences);
    this.#fences.clear();
    this.#validUntil = -Infinity;
    await this.release(fences);
    await this.database.query({
      name: 'relay-leave',
      text: 'DELETE FROM relay_member WHERE owner = $1',
      values: [this.owner],
    });
  }
}

interface Claimed {
  readonly members: number;
  readonly held: readonly { readonly partition: number; readonly fence: number }[];
}

// Only what is already held is waited for; what is free and locked by another relay is left to it (SKIP LOCKED), so
// that two relays that each hold what the other wants cannot wait for each other.
const claim = `WITH heartbeat AS (
  INSERT INTO relay_member (owner, until) VALUES ($1, clock_timestamp() + $4::int * interval '1 millisecond')
  ON CONFLICT (owner) DO UPDATE SET until = excluded.until
), living AS MATERIALIZED (
  SELECT 1 + count(*)::int AS members FROM relay_member WHERE owner <> $1 AND until > clock_timestamp()
), mine AS MATERIALIZED (
  SELECT * FROM unnest($2::int[], $3::bigint[]) AS mine (partition, fence)
), kept AS MATERIALIZED (
  SELECT lease.partition FROM relay_lease AS lease JOIN mine USING (partition)
  WHERE lease.fence = mine.fence OR (lease.owner = $1 AND $5::boolean)
  ORDER BY lease.partition
  FOR UPDATE OF lease
), free AS MATERIALIZED (
  SELECT lease.partition FROM relay_lease AS lease
  WHERE lease.partition = ANY($2::int[]) AND lease.partition NOT IN (SELECT partition FROM kept)
    AND lease.until <= clock_timestamp()
  ORDER BY lease.partition
  LIMIT greatest(0, (SELECT ceil(cardinality($2::int[])::numeric / members)::bigint FROM living)
                    - (SELECT count(*) FROM kept))
  FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE relay_lease AS lease
  SET owner = $1, until = clock_timestamp() + $4::int * interval '1 millisecond',
      fence = CASE WHEN lease.fence = mine.fence THEN lease.fence ELSE lease.fence + 1 END
  FROM mine
  WHERE lease.partition = mine.partition
    AND lease.partition IN (SELECT partition FROM kept UNION ALL SELECT partition FROM free)
  RETURNING lease.partition, lease.fence
)
SELECT (SELECT members FROM living) AS members,
       (SELECT coalesce(json_agg(json_build_object('partition', partition, 'fence', fence) ORDER BY partition), '[]'::json)
        FROM claimed) AS held`;

function seed(partitions: readonly number[]): { name: string; text: string; values: unknown[] } {
  return {
    name: 'relay-seed',
    text: `INSERT INTO relay_lease (partition, owner, fence, until)
SELECT partition, '', 0, 'epoch' FROM unnest($1::int[]) AS partition ORDER BY partition
ON CONFLICT (partition) DO NOTHING`,
    values: [partitions],
  };
}
