import { describe, expect, it } from '@jest/globals';
import { assertAcknowledged, NotAcknowledged, type OutgoingRecord } from './producer.js';

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
