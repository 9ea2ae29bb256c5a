import { describe, expect, it } from '@jest/globals';
import { Stall, type Progress } from './stall.js';

const at = (position: number, lag: number, partition = 0): Progress => ({
  topic: 't',
  partition,
  position,
  lag,
});

describe('a partition', () => {
  it('is stuck when it lags and does not move for the whole patience', () => {
    const stall = new Stall(100);
    expect(stall.observe(0, [at(5, 1)], false)).toEqual([]);
    expect(stall.observe(99, [at(5, 2)], false)).toEqual([]);
    expect(stall.observe(100, [at(5, 2)], false)).toEqual([at(5, 2)]);
  });

  it('is not stuck while it moves, has nothing to read, or is being handled', () => {
    const stall = new Stall(100);
    for (let now = 0; now < 1000; now += 50) {
      expect(stall.observe(now, [at(now, 9, 0), at(5, 0, 1), at(5, 3, 2)], now % 100 === 0)).toEqual([]);
    }
  });

  it('is stuck also while its neighbours move', () => {
    const stall = new Stall(100);
    for (let now = 0; now < 100; now += 50) stall.observe(now, [at(now, 9, 0), at(5, 3, 1)], false);
    expect(stall.observe(100, [at(100, 9, 0), at(5, 3, 1)], false)).toEqual([at(5, 3, 1)]);
  });

  it('that a new start does not help gets more and more time, until it moves', () => {
    const stall = new Stall(100);
    const found: number[] = [];
    for (let now = 0; now <= 1000; now += 10) {
      if (stall.observe(now, [at(5, 1)], false).length > 0) found.push(now);
    }
    expect(found).toEqual([100, 310, 720]);
    stall.observe(1010, [at(6, 1)], false);
    expect(stall.observe(1110, [at(6, 1)], false)).toEqual([at(6, 1)]);
  });
});
