import { randomUUID } from 'node:crypto';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { ensureTopics, openKafkaThrough, openKafka, type Kafka, type Log } from './kafka.js';
import { openProducer, type OutgoingRecord } from './producer.js';
import type { ReceivedRecord } from './received.js';

// @faultline/testing builds on this package, so that its tests cannot use it.
const addresses = process.env['TEST_KAFKA_BROKERS'];
if (addresses === undefined)
  throw new Error('TEST_KAFKA_BROKERS is not set: run this by `npm run infra:test -- <command>`');
export const brokers = addresses.split(',');

/** The way between one process and the broker. Cut, it is what kill -9 and a stopped broker look like to each other. */
export class Network {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 1;
  #frozen = false;

  async heal(): Promise<void> {
    if (this.#server) return;
    const [host, port] = (brokers[0] ?? '').split(':');
    this.#server = createServer((near) => {
      const far = connect({ host, port: Number(port) });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        if (this.#frozen) from.pause();
        from.on('data', (bytes) => to.write(bytes));
        from.on('error', () => undefined);
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    const server = this.#server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Nobody is told, nothing comes through, and nobody can connect. */
  cut(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#port = 1;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay, also new ones, but nothing moves: a process that was stopped by SIGSTOP. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  kafka(clientId: string, log?: Log): Kafka {
    return openKafkaThrough(
      ({ onConnect }) => connect({ host: '127.0.0.1', port: this.#port }, onConnect),
      { brokers, clientId },
      log,
    );
  }
}

export const direct = openKafka({ brokers, clientId: 'messaging-test' });

export async function newTopic(partitions = 3): Promise<string> {
  const topic = `messaging.${randomUUID()}`;
  await ensureTopics(direct, [{ topic, partitions }]);
  return topic;
}

export const outgoing = (
  topic: string,
  partition: number,
  value: string | Buffer,
  headers = {},
): OutgoingRecord => ({
  topic,
  partition,
  key: `key-${partition}`,
  value: Buffer.from(value),
  headers,
});

export async function send(records: readonly OutgoingRecord[]): Promise<void> {
  const producer = openProducer(direct);
  await producer.connect();
  try {
    await producer.send(records);
  } finally {
    await producer.close();
  }
}

export const textOf = (record: ReceivedRecord): string => record.value?.toString() ?? '';

export async function committedOf(groupId: string, topic: string): Promise<Record<number, string>> {
  const admin = direct.client.admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return Object.fromEntries((found?.partitions ?? []).map(({ partition, offset }) => [partition, offset]));
  } finally {
    await admin.disconnect();
  }
}

export async function membersOf(groupId: string): Promise<string[]> {
  const admin = direct.client.admin();
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([groupId]);
    return (groups[0]?.members ?? []).map(({ memberId }) => memberId);
  } finally {
    await admin.disconnect();
  }
}

export async function eventually(
  assertion: () => void | Promise<void>,
  { within = 15_000 }: { readonly within?: number } = {},
): Promise<void> {
  const until = performance.now() + within;
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
