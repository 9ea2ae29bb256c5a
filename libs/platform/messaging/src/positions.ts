import type { Kafka } from './kafka.js';

/** Where a partition begins and ends, and how far a group says it has come. All three are offsets. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** The first record that is still kept. */
  readonly begin: number;
  /** Where the next record will lie. */
  readonly end: number;
  /** Everything below it was handled by the group; null when the group never said anything. */
  readonly committed: number | null;
}

/** What the broker knows of a group and its topics, for whoever watches from outside. Throws when no broker answers. */
export async function positionsOf(
  kafka: Kafka,
  groupId: string,
  topics: readonly string[],
): Promise<Position[]> {
  const admin = kafka.client.admin();
  await admin.connect();
  try {
    const committed = await admin.fetchOffsets({ groupId, topics: [...topics] });
    const positions: Position[] = [];
    for (const topic of topics) {
      const told = committed.find((each) => each.topic === topic)?.partitions ?? [];
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const offset = told.find((each) => each.partition === partition)?.offset ?? '-1';
        positions.push({
          topic,
          partition,
          begin: Number(low),
          end: Number(high),
          committed: Number(offset) < 0 ? null : Number(offset),
        });
      }
    }
    return positions.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
