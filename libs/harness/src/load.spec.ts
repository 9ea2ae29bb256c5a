import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@faultline/testing';
import type { Client } from './client.js';
import { endLoads, forAWhile, poissonArrivals, startLoad } from './load.js';

afterEach(endLoads);

/** A service that answers nothing until it is told to. */
function slow() {
  const waiting: (() => void)[] = [];
  const placed: unknown[] = [];
  const client = {
    place: (body: unknown) => {
      placed.push(body);
      return new Promise((resolve) => {
        waiting.push(() => resolve({ key: 'k', body, answers: [], outcome: { accepted: 'o' } }));
      });
    },
    deposit: () => Promise.resolve(),
    deliver: () => Promise.resolve(),
  } as unknown as Client;
  return { client, placed, answerAll: () => waiting.splice(0).forEach((answer) => answer()) };
}

describe('arrivals', () => {
  const first = (count: number, rate: number, seed: number): number[] => {
    const moments: number[] = [];
    for (const at of poissonArrivals(rate, seed)) {
      if (moments.push(at) === count) return moments;
    }
    return moments;
  };

  it('are given by the seed', () => {
    expect(first(50, 20, 42)).toEqual(first(50, 20, 42));
    expect(first(50, 20, 42)).not.toEqual(first(50, 20, 43));
  });

  it('come at the rate that was asked for, and not evenly', () => {
    const moments = first(20_000, 50, 7);
    expect(20_000 / ((moments.at(-1) ?? 0) / 1000)).toBeCloseTo(50, -0.5);
    const gaps = moments.map((at, index) => at - (moments[index - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const spread = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    // Of an exponential distribution both are the same.
    expect(spread / mean).toBeGreaterThan(0.95);
    expect(spread / mean).toBeLessThan(1.05);
  });
});

describe('a load', () => {
  it('keeps its pace while nobody is answered', async () => {
    const { client, placed, answerAll } = slow();
    const load = startLoad(client, { rate: 200, seed: 1 });
    await eventually(() => expect(placed.length).toBeGreaterThan(40), { within: 5000 });
    const took = performance.timeOrigin + performance.now() - (load.arrivals[0]?.plannedAt ?? 0);
    const due = load.arrivals.filter(
      ({ plannedAt }) => plannedAt - (load.arrivals[0]?.plannedAt ?? 0) <= took,
    );
    expect(due).toHaveLength(load.arrivals.length);
    expect(load.placements).toEqual([]);
    answerAll();
    await forAWhile(0);
    const stopped = load.stop();
    answerAll();
    await stopped;
  });

  it('counts from the planned moment, also what could not begin in time', async () => {
    const { client, answerAll } = slow();
    const load = startLoad(client, { rate: 100, seed: 1 });
    // This process is busy: the timer comes late, and nobody's waiting must be forgotten for that.
    const until = performance.now() + 300;
    while (performance.now() < until);
    await eventually(() => expect(load.arrivals.length).toBeGreaterThan(10), { within: 5000 });
    const stopped = load.stop();
    answerAll();
    await stopped;
    const [first] = load.arrivals;
    expect((first?.answeredAt ?? 0) - (first?.plannedAt ?? 0)).toBeGreaterThan(200);
  });

  it('ends', async () => {
    const { client, placed, answerAll } = slow();
    const load = startLoad(client, { rate: 500, seed: 1 });
    await eventually(() => expect(placed.length).toBeGreaterThan(5), { within: 5000 });
    const stopped = load.stop();
    answerAll();
    await stopped;
    const count = placed.length;
    await forAWhile(50);
    expect(placed.length).toBe(count);
  });
});
