import type { Database } from '@faultline/database';

/** Which partitions this relay may publish, with the fence it must prove. */
export type Held = ReadonlyMap<number, number>;

/**
 * Leases with fencing tokens (Kleppmann, "How to do distributed locking"), one per partition number over all topics.
 * The database's clock decides when a lease ends; this side counts its own monotonic clock from before it asked, minus
 * a margin, and so believes in a lease for a shorter time than the database does, whatever its wall clock says.
 */
export class Leases {
  readonly #fences = new Map<number, number>();
  #validUntil = -Infinity;
  #first = true;
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

  holdsAll(): boolean {
    return this.held().size === this.partitions.length;
  }

  /**
   * Renews what is held and takes what is free. The first call also takes what this owner's name holds: that was its
   * predecessor, and nobody need wait for a dead process. Greedy: one living relay may hold everything.
   */
  async refresh(): Promise<void> {
    const asked = performance.now();
    if (this.#first) await this.database.query(seed(this.partitions));
    const rows = await this.database.query<{ partition: number; fence: number }>({
      name: 'relay-claim',
      text: `WITH mine AS (
  SELECT * FROM unnest($2::int[], $3::bigint[]) AS mine (partition, fence)
), free AS MATERIALIZED (
  SELECT lease.partition FROM relay_lease AS lease JOIN mine USING (partition)
  WHERE lease.fence = mine.fence OR lease.until <= clock_timestamp() OR (lease.owner = $1 AND $5::boolean)
  ORDER BY lease.partition
  FOR UPDATE OF lease
)
UPDATE relay_lease AS lease
SET owner = $1, until = clock_timestamp() + $4::int * interval '1 millisecond',
    fence = CASE WHEN lease.fence = mine.fence THEN lease.fence ELSE lease.fence + 1 END
FROM mine JOIN free USING (partition)
WHERE lease.partition = mine.partition
RETURNING lease.partition, lease.fence`,
      values: [
        this.owner,
        this.partitions,
        this.partitions.map((partition) => this.#fences.get(partition) ?? -1),
        this.leaseMs,
        this.#first,
      ],
    });
    this.#first = false;
    this.#fences.clear();
    for (const { partition, fence } of rows) this.#fences.set(partition, fence);
    this.#validUntil = asked + this.leaseMs - this.#margin;
  }

  /** Others need not wait for the leases to end. */
  async giveBack(): Promise<void> {
    const fences = [...this.#fences];
    this.#fences.clear();
    this.#validUntil = -Infinity;
    if (fences.length === 0) return;
    await this.database.query({
      name: 'relay-give-back',
      text: `UPDATE relay_lease AS lease SET until = clock_timestamp()
FROM unnest($1::int[], $2::bigint[]) AS mine (partition, fence)
WHERE lease.partition = mine.partition AND lease.fence = mine.fence`,
      values: [fences.map(([partition]) => partition), fences.map(([, fence]) => fence)],
    });
  }
}

function seed(partitions: readonly number[]): { name: string; text: string; values: unknown[] } {
  return {
    name: 'relay-seed',
    text: `INSERT INTO relay_lease (partition, owner, fence, until)
SELECT partition, '', 0, 'epoch' FROM unnest($1::int[]) AS partition ORDER BY partition
ON CONFLICT (partition) DO NOTHING`,
    values: [partitions],
  };
}
