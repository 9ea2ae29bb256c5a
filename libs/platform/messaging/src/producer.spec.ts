import { describe, expect, it } from '@jest/globals';
import type { Kafka } from './kafka.js';
import {
  assertAcknowledged,
  NotAcknowledged,
  openProducer,
  requestsOf,
  type OutgoingRecord,
} from './producer.js';

const record = (topic: string, partition: number): OutgoingRecord => ({
  topic,
  partition,
  key: 'k',
  value: null,
  headers: {},
});

describe('a send', () => {
  const asked = [record('a', 0), record('a', 1), record('b', 0)];

  it('is done when every partition was acknowledged', () => {
    expect(() =>
      assertAcknowledged(asked, [
        { topicName: 'a', partition: 0, errorCode: 0 },
        { topicName: 'a', partition: 1, errorCode: 0 },
        { topicName: 'b', partition: 0, errorCode: 0 },
      ]),
    ).not.toThrow();
  });

  it('is not done when one is missing from the reply, or answered with an error', () => {
    const incomplete = [
      { topicName: 'a', partition: 0, errorCode: 0 },
      { topicName: 'b', partition: 0, errorCode: 7 },
    ];
    expect(() => assertAcknowledged(asked, incomplete)).toThrow(
      new NotAcknowledged('not acknowledged: a/1, b/0'),
    );
  });
});

describe('a send that kafkajs resolves without one of its partitions', () => {
  it('throws: nothing may be deleted from the outbox', async () => {
    const reply = [{ topicName: 'a', partition: 0, errorCode: 0 }];
    const client = { producer: () => ({ sendBatch: () => Promise.resolve(reply) }) };
    const producer = openProducer({ client } as unknown as Kafka);
    await producer.send([record('a', 0)]);
    await expect(producer.send([record('a', 0), record('a', 1)])).rejects.toBeInstanceOf(NotAcknowledged);
  });
});

describe('the requests of a send', () => {
  const weighing = (partition: number, bytes: number): OutgoingRecord => ({
    ...record('a', partition),
    value: Buffer.alloc(bytes),
  });

  it('are one, while every partition gets less than a broker takes', () => {
    const records = [0, 1, 2, 0].map((partition) => weighing(partition, 300_000));
    expect(requestsOf(records)).toEqual([records]);
    expect(requestsOf([])).toEqual([]);
  });

  it('are cut where a partition would get more, and keep the order', () => {
    const records = [0, 0, 1, 0, 0, 0].map((partition) => weighing(partition, 300_000));
    const requests = requestsOf(records);
    expect(requests.map((each) => each.length)).toEqual([3, 2, 1]);
    expect(requests.flat()).toEqual(records);
  });

  it('hold a record that is too much by itself alone', () => {
    const records = [weighing(0, 10), weighing(0, 900_000), weighing(0, 10)];
    expect(requestsOf(records).map((each) => each.length)).toEqual([1, 1, 1]);
  });
});
