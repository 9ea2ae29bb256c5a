import type { Message, RecordMetadata } from 'kafkajs';
import type { Kafka } from './kafka.js';

export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

export interface Producer {
  /** Throws when no broker answers. */
  connect(): Promise<void>;
  /**
   * Resolves only when every partition asked for was acknowledged by all in-sync replicas; otherwise throws, and the
   * records may or may not be in their topics. One call at a time keeps the order within a partition.
   */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** The broker will never take these records: too large, or invalid. Sending them again cannot help. */
export class RefusedByBroker extends Error {
  override readonly name = 'RefusedByBroker';
  readonly retriable = false;
}

/** Some partitions were not acknowledged; kafkajs can resolve `send` without them (tulios/kafkajs#1303). */
export class NotAcknowledged extends Error {
  override readonly name = 'NotAcknowledged';
  readonly retriable = true;
}

const refusals = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

/**
 * A producer without kafkajs's idempotent mode, which after an ambiguous failure rolls its sequence back and then loses
 * acknowledged records. Duplicates are the inbox's business.
 */
export function openProducer(kafka: Kafka): Producer {
  const producer = kafka.client.producer({ idempotent: false, allowAutoTopicCreation: false });
  const sendOne = async (records: readonly OutgoingRecord[]): Promise<void> => {
    const byTopic = Map.groupBy(records, ({ topic }) => topic);
    let replies: RecordMetadata[];
    try {
      replies = await producer.sendBatch({
        acks: -1,
        timeout: 10_000,
        topicMessages: [...byTopic].map(([topic, each]) => ({ topic, messages: each.map(messageOf) })),
      });
    } catch (error) {
      const type = refusalIn(error);
      if (type) throw new RefusedByBroker(type, { cause: error });
      throw error;
    }
    assertAcknowledged(records, replies);
  };
  return {
    connect: () => producer.connect(),
    async send(records) {
      // One after the other: the first one that fails ends it, so that no later record overtakes an earlier one.
      for (const request of requestsOf(records)) await sendOne(request);
    },
    close: () => producer.disconnect(),
  };
}

// A broker refuses more than 1 MiB (message.max.bytes) per partition and request, whatever the single records weigh.
const requestBytes = 768 * 1024;

/** The records in their order, cut so that no request is refused for the company that a record keeps. */
export function requestsOf(records: readonly OutgoingRecord[]): readonly (readonly OutgoingRecord[])[] {
  const requests: OutgoingRecord[][] = [];
  let bytes = new Map<string, number>();
  for (const record of records) {
    const place = `${record.topic}/${record.partition}`;
    const total = (bytes.get(place) ?? 0) + sizeOf(record);
    const current = requests.at(-1);
    if (current && (total <= requestBytes || !bytes.has(place))) {
      current.push(record);
      bytes.set(place, total);
    } else {
      requests.push([record]);
      bytes = new Map([[place, sizeOf(record)]]);
    }
  }
  return requests;
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  const length = (each: string | Buffer | null): number => (each === null ? 0 : Buffer.byteLength(each));
  // A record and each of its headers cost a few bytes of lengths and deltas.
  const head = Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + length(text) + 8, 0);
  return length(key) + length(value) + head + 24;
}

/** Throws NotAcknowledged unless each partition that was asked for answered without an error. */
export function assertAcknowledged(
  records: readonly OutgoingRecord[],
  replies: readonly RecordMetadata[],
): void {
  const acknowledged = new Set(
    replies
      .filter(({ errorCode }) => errorCode === 0)
      .map(({ topicName, partition }) => `${topicName}/${partition}`),
  );
  const missing = new Set(
    records
      .map(({ topic, partition }) => `${topic}/${partition}`)
      .filter((asked) => !acknowledged.has(asked)),
  );
  if (missing.size > 0) throw new NotAcknowledged(`not acknowledged: ${[...missing].join(', ')}`);
}

function messageOf({ key, value, partition, headers }: OutgoingRecord): Message {
  return { key, value, partition, headers: { ...headers } };
}

function refusalIn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('type' in error && typeof error.type === 'string' && refusals.has(error.type)) return error.type;
  return refusalIn(error.cause);
}
