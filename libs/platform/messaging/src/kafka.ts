import kafkajs, { type Admin, type ISocketFactory, type Kafka as KafkaJs } from 'kafkajs';
import { mendInternals } from './internals.js';

const { Kafka: KafkaClient, logLevel } = kafkajs;

/** What this room says while it works. A pino logger fits. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface KafkaOptions {
  readonly brokers: readonly string[];
  /** Names the instance (`inventory-1`), never just the service. */
  readonly clientId: string;
}

/** A way to reach the brokers. Nothing is connected until something is sent or received. */
export interface Kafka {
  readonly client: KafkaJs;
}

/** The client of one process. Cheap; throws nothing when no broker is there. */
export function openKafka(options: KafkaOptions, log?: Log): Kafka {
  return openKafkaThrough(undefined, options, log);
}

/** The same through another network: tests cut and freeze it. */
export function openKafkaThrough(
  socketFactory: ISocketFactory | undefined,
  options: KafkaOptions,
  log?: Log,
): Kafka {
  mendInternals();
  const isNews = sayOncePer(10_000);
  const client = new KafkaClient({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ...(socketFactory && { socketFactory }),
    connectionTimeout: 2000,
    // A frozen broker holds a request for ever: after this long the connection is given up and made anew.
    requestTimeout: 10_000,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 },
    logLevel: logLevel.ERROR,
    // kafkajs calls everything an error that it then retries by itself; what matters comes back as an exception.
    logCreator: () => (entry) => {
      const { message, timestamp: _, logger: __, stack: ___, ...fields } = entry.log;
      if (isNews(message)) log?.warn({ ...fields, kafkajs: entry.namespace }, message);
    },
  });
  return { client };
}

// While a broker is away, each connection says so several times a second.
function sayOncePer(milliseconds: number): (what: string) => boolean {
  const said = new Map<string, number>();
  return (what) => {
    const now = performance.now();
    for (const [each, at] of said) if (now - at > milliseconds) said.delete(each);
    if (said.has(what)) return false;
    said.set(what, now);
    return true;
  };
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
}

/** The inbox remembers twice as long as the topics keep: nothing comes back that it has forgotten. */
const keptFor = 24 * 3600 * 1000;

/** Creates the topics that are missing; leaves those that are there as they are. Throws when no broker answers. */
export async function ensureTopics(kafka: Kafka, specs: readonly TopicSpec[]): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const present = new Set(await admin.listTopics());
    const missing = specs.filter(({ topic }) => !present.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ topic, partitions }) => ({
        topic,
        numPartitions: partitions,
        configEntries: [
          { name: 'retention.ms', value: String(keptFor) },
          // Only whole segments are removed: with the usual week a slow topic would keep its records for as long.
          { name: 'segment.ms', value: String(3600 * 1000) },
        ],
      })),
    });
  });
}

/** The topics whose partition count is not what the contract says. Throws when no broker answers. */
export async function checkTopics(
  kafka: Kafka,
  specs: readonly TopicSpec[],
): Promise<{ topic: string; expected: number; found: number }[]> {
  return withAdmin(kafka, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ topic }) => topic) });
    const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
    return specs
      .map(({ topic, partitions }) => ({ topic, expected: partitions, found: counts.get(topic) ?? 0 }))
      .filter(({ expected, found }) => expected !== found);
  });
}

async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.client.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
