import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { murmur2, partitionFor } from './partition.js';

const theirs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2') as (
  key: Buffer,
) => number;

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

  it('is of the hash that kafkajs computes, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (key) => {
        expect(murmur2(Buffer.from(key))).toBe(theirs(Buffer.from(key)));
      }),
    );
  });

  it('is below the count', () => {
    for (let index = 0; index < 300; index++) {
      expect([0, 1, 2]).toContain(partitionFor(`order-${index}`, 3));
    }
  });
});
