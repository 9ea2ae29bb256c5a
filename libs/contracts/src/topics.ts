/**
 * Every topic and its partition count. Three is cheap and enough for three replicas.
 * The count is part of the contract: the partition of a message is computed when its outbox row is written,
 * so a topic whose count differs would break the order of an order's messages. A change is a new topic.
 */
export const topics = {
  'inventory.commands': { partitions: 3 },
  'payment.commands': { partitions: 3 },
  'order.replies': { partitions: 3 },
  'order.events': { partitions: 3 },
} as const;

export type Topic = keyof typeof topics;

/** Where a consumer's dead letters are published beside their row in its database. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlt`;
}

/** Partition count of a topic or of its dead-letter topic. Throws for a topic that is in no contract. */
export function partitionsOf(topic: string): number {
  const name = topic.endsWith('.dlt') ? topic.slice(0, -'.dlt'.length) : topic;
  const found = Object.entries(topics).find(([known]) => known === name);
  if (!found) throw new Error(`topic ${topic} is in no contract`);
  return found[1].partitions;
}
