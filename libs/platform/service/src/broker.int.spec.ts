import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureTopics, openKafka } from '@faultline/messaging';
import { silentLog } from '@faultline/telemetry';
import { eventually, testDatabase } from '@faultline/testing';
import { BrokerSide } from './broker.js';

let db: Awaited<ReturnType<typeof testDatabase>>;
const log = silentLog();

beforeAll(async () => {
  db = await testDatabase(new URL('../../../transactions/prisma/', import.meta.url));
});
afterAll(() => db.drop());

function side(brokers: readonly string[], topic: string, partitions: number): BrokerSide {
  return new BrokerSide({
    brokers,
    instance: `service-${randomUUID().slice(0, 8)}`,
    database: db.database,
    topics: [{ topic, partitions }],
    consumptions: [{ groupId: topic, topics: [topic], handle: async () => undefined }],
    log,
    compareEvery: 200,
  });
}
const brokers = (process.env['TEST_KAFKA_BROKERS'] ?? '').split(',');

describe('what needs the broker', () => {
  it('creates its topics, joins its group, and stops', async () => {
    const topic = `service-${randomUUID()}`;
    const broker = side(brokers, topic, 3);
    broker.start();
    try {
      await eventually(() => expect(broker.state()).toEqual({ is: 'running' }), { within: 20_000 });
      await eventually(() => expect(broker.consumers().get(topic)?.joined).toBe(true), { within: 20_000 });
    } finally {
      await broker.stop();
    }
    expect(broker.consumers().size).toBe(0);
  });

  it('stays stopped, and says why, while a topic has other partitions than its contract', async () => {
    const topic = `service-${randomUUID()}`;
    await ensureTopics(openKafka({ brokers, clientId: 'service-test' }, log), [{ topic, partitions: 1 }]);
    const broker = side(brokers, topic, 3);
    broker.start();
    try {
      await eventually(
        () =>
          expect(broker.state()).toMatchObject({ is: 'disagreeing', about: expect.stringContaining(topic) }),
        {
          within: 20_000,
        },
      );
      expect(broker.consumers().size).toBe(0);
    } finally {
      await broker.stop();
    }
  });

  it('waits for a broker that is away, and can be stopped meanwhile', async () => {
    const broker = side(['127.0.0.1:1'], 'nowhere', 3);
    broker.start();
    await eventually(
      () =>
        expect(broker.state()).toMatchObject({
          is: 'connecting',
          because: expect.stringContaining('ECONNREFUSED'),
        }),
      {
        within: 30_000,
      },
    );
    await broker.stop();
    expect(broker.consumers().size).toBe(0);
  });
});
