import { randomUUID } from 'node:crypto';
import { ensureTopics, openKafka } from '@faultline/messaging';
import { fromTestRun } from './environment.js';

export function testBrokers(): string[] {
  return fromTestRun('TEST_KAFKA_BROKERS').split(',');
}

/** A topic that no other test uses. */
export async function testTopic(name: string, partitions: number): Promise<string> {
  const topic = `${name}.${randomUUID()}`;
  await ensureTopics(openKafka({ brokers: testBrokers(), clientId: 'test' }), [{ topic, partitions }]);
  return topic;
}
