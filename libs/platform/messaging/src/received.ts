import type { KafkaMessage } from 'kafkajs';

export interface ReceivedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** A header that came several times counts by its last value; one without a value is empty. */
export function receivedRecord(topic: string, partition: number, message: KafkaMessage): ReceivedRecord {
  const headers: Record<string, Buffer> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const last = Array.isArray(value) ? value.at(-1) : value;
    headers[name] = typeof last === 'string' ? Buffer.from(last) : (last ?? Buffer.alloc(0));
  }
  return { topic, partition, offset: message.offset, key: message.key, value: message.value, headers };
}
