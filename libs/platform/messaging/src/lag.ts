import type { Admin } from 'kafkajs';
import type { Kafka } from './kafka.js';
import type { Progress } from './stall.js';
import { atMost } from './waiting.js';

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** How far a group is behind the ends of its topics, asked from the broker: what a consumer believes is not enough. */
export class Lag {
  readonly #admin: Admin;

  constructor(
    kafka: Kafka,
    private readonly groupId: string,
    private readonly topics: readonly string[],
  ) {
    this.#admin = kafka.client.admin();
  }

  /** The progress of each of the partitions. `handled` is ahead of what was committed. Throws without a broker. */
  async measure(
    partitions: readonly Place[],
    handled: (place: Place) => number | null,
  ): Promise<readonly Progress[]> {
    await this.#admin.connect();
    const committed = await this.#admin.fetchOffsets({ groupId: this.groupId, topics: [...this.topics] });
    const progress: Progress[] = [];
    for (const topic of this.topics) {
      const ends = await this.#admin.fetchTopicOffsets(topic);
      const known = committed.find((each) => each.topic === topic)?.partitions ?? [];
      for (const place of partitions.filter((each) => each.topic === topic)) {
        const end = ends.find((each) => each.partition === place.partition);
        const told = known.find((each) => each.partition === place.partition)?.offset ?? -1;
        const position = Math.max(Number(end?.low ?? 0), Number(told), handled(place) ?? -1);
        progress.push({ ...place, position, lag: Math.max(0, Number(end?.high ?? 0) - position) });
      }
    }
    return progress;
  }

  async close(): Promise<void> {
    await atMost(500, this.#admin.disconnect());
  }
}
