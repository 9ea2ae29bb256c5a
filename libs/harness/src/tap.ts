import { createHash, randomUUID } from 'node:crypto';
import { deadLetterTopic, topics } from '@faultline/contracts';
import {
  openKafka,
  positionsOf,
  startConsumer,
  type Position,
  type ReceivedRecord,
} from '@faultline/messaging';
import { eventually } from '@faultline/testing';
import type { System } from './system.js';

/** A record as it lies in its topic. */
export interface TappedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Its CloudEvents id. */
  readonly id: string | null;
  /** md5 of the value. */
  readonly digest: string;
  /** Those that the audit asks for: a long run lays half a million records into the topics. */
  readonly headers: Readonly<Record<string, string>>;
}

const keptHeaders = ['ce_id', 'ce_type', 'ce_source', 'faultline_dead_letter_id', 'faultline_redrive_id'];

/** Listens to every topic from its first record on, beside the services and in a group of its own. */
export interface Tap {
  /** Everything heard so far; within a partition in the order of the log. */
  records(): readonly TappedRecord[];
  /** Resolves when everything that lies in the topics by now has been heard. */
  caughtUp(within?: number): Promise<void>;
  /** How far each partition goes, and how far this group says it has come. */
  positions(groupId: string, topics: readonly string[]): Promise<Position[]>;
  stop(): Promise<void>;
}

export const allTopics: readonly string[] = Object.keys(topics).flatMap((topic) => [
  topic,
  deadLetterTopic(topic),
]);

/** The topics must exist: the services make them. */
export function startTap(system: Pick<System, 'brokers'>): Tap {
  const name = `harness-tap-${randomUUID()}`;
  const kafka = openKafka({ brokers: system.brokers.split(','), clientId: name });
  const heard = new Map<string, TappedRecord[]>();
  const nextOf = (partition: string): number => (heard.get(partition)?.at(-1)?.offset ?? -1) + 1;
  const consumer = startConsumer({
    kafka,
    groupId: name,
    instanceId: name,
    topics: allTopics,
    handle(records) {
      for (const record of records) {
        const partition = `${record.topic}/${record.partition}`;
        // What was not committed in time comes again.
        if (Number(record.offset) < nextOf(partition)) continue;
        const before = heard.get(partition);
        if (before) before.push(tapped(record));
        else heard.set(partition, [tapped(record)]);
      }
      return Promise.resolve();
    },
  });
  return {
    records: () => [...heard.values()].flat(),
    async caughtUp(within = 30_000) {
      const ends = await positionsOf(kafka, name, allTopics);
      await eventually(
        () => {
          const behind = ends.filter(({ topic, partition, end }) => nextOf(`${topic}/${partition}`) < end);
          if (behind.length > 0) {
            const where = behind.map(({ topic, partition, end }) => `${topic}/${partition} up to ${end}`);
            throw new Error(`the tap has not heard ${where.join(', ')}`);
          }
        },
        { within, every: 50 },
      );
    },
    positions: (groupId, of) => positionsOf(kafka, groupId, of),
    stop: () => consumer.stop(),
  };
}

function tapped(record: ReceivedRecord): TappedRecord {
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = record.headers[name];
    if (value) headers[name] = value.toString();
  }
  return {
    topic: record.topic,
    partition: record.partition,
    offset: Number(record.offset),
    key: record.key?.toString() ?? null,
    id: headers['ce_id'] ?? null,
    digest: createHash('md5')
      .update(record.value ?? Buffer.alloc(0))
      .digest('hex'),
    headers,
  };
}
