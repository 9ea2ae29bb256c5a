interface Position {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to be handled, as Kafka counts committed offsets. */
  readonly offset: string;
}

/** How far each partition is handled, and what of that the group has not been told yet. */
export class Offsets {
  readonly #next = new Map<string, Position>();
  readonly #uncommitted = new Set<string>();

  /** Everything up to `last` is durable. Positions only grow. */
  handled(topic: string, partition: number, last: string): void {
    const key = `${topic}/${partition}`;
    const offset = BigInt(last) + 1n;
    const known = this.#next.get(key);
    if (known && BigInt(known.offset) >= offset) return;
    this.#next.set(key, { topic, partition, offset: String(offset) });
    this.#uncommitted.add(key);
  }

  pending(): Position[] {
    return [...this.#uncommitted].flatMap((key) => this.#next.get(key) ?? []);
  }

  committed(positions: readonly Position[]): void {
    for (const { topic, partition, offset } of positions) {
      const key = `${topic}/${partition}`;
      if (this.#next.get(key)?.offset === offset) this.#uncommitted.delete(key);
    }
  }

  nextOf(topic: string, partition: number): number | null {
    const known = this.#next.get(`${topic}/${partition}`);
    return known ? Number(known.offset) : null;
  }

  /** Forgets partitions that another member has now: committing for them would take its progress back. */
  keepOnly(assigned: readonly { readonly topic: string; readonly partition: number }[]): void {
    const ours = new Set(assigned.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const key of this.#next.keys()) {
      if (ours.has(key)) continue;
      this.#next.delete(key);
      this.#uncommitted.delete(key);
    }
  }
}
