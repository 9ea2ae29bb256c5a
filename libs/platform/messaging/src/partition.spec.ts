import { describe, expect, it } from '@jest/globals';
import { partitionFor } from './partition.js';

describe('the partition of a key', () => {
  // Utils.murmur2 of Kafka's Java client, made positive as its partitioner does: UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('of %s is the one the Java client computes', (key, hash) => {
    expect(partitionFor(key, 1_000_003)).toBe((hash & 0x7fffffff) % 1_000_003);
  });

  it('is below the count', () => {
    for (let index = 0; index < 300; index++) {
      expect([0, 1, 2]).toContain(partitionFor(`order-${index}`, 3));
    }
  });
});
