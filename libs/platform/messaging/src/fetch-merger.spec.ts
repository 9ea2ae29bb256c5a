import { describe, expect, it } from '@jest/globals';
import { FetchMerger } from './fetch-merger.js';
import type { ReceivedRecord } from './received.js';

const record = (partition: number): ReceivedRecord => ({
  topic: 't',
  partition,
  offset: '0',
  key: null,
  value: null,
  headers: {},
});

describe('the partitions of one fetch', () => {
  it('are handled together, and one fetch after the other', async () => {
    const handled: number[][] = [];
    let inside = 0;
    const merger = new FetchMerger(async (records) => {
      inside += 1;
      expect(inside).toBe(1);
      handled.push(records.map(({ partition }) => partition));
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    });
    const first = Promise.all([merger.add([record(0)]), merger.add([record(1), record(1)])]);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([first, merger.add([record(2)])]);
    expect(handled).toEqual([[0, 1, 1], [2]]);
  });

  it('fail together', async () => {
    const merger = new FetchMerger(() => Promise.reject(new Error('rolled back')));
    const both = await Promise.allSettled([merger.add([record(0)]), merger.add([record(1)])]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
