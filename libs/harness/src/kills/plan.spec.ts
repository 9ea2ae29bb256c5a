import { expect, it } from '@jest/globals';
import { killsOf, planOf } from './plan.js';

const services = ['order', 'inventory', 'payment'] as const;
const plan = planOf({ seed: 42, kills: 500, services });

it('is given by its seed', () => {
  expect(planOf({ seed: 42, kills: 500, services })).toEqual(plan);
  expect(planOf({ seed: 43, kills: 500, services })).not.toEqual(plan);
});

it.each([1, 2, 3, 30, 500])('ends processes exactly %d times', (kills) => {
  for (let seed = 0; seed < 20; seed += 1) {
    const all = planOf({ seed, kills, services }).map(killsOf);
    expect(all.reduce((sum, each) => sum + each, 0)).toBe(kills);
  }
});

it('strikes every service, mostly by SIGKILL, now and then by SIGTERM and SIGSTOP', () => {
  const struck = new Set(plan.flatMap(({ targets }) => targets));
  expect([...struck].sort()).toEqual(['inventory', 'order', 'payment']);
  const share = (signal: string): number =>
    plan.filter((strike) => strike.signal === signal).length / plan.length;
  expect(share('SIGKILL')).toBeGreaterThan(0.7);
  expect(share('SIGTERM')).toBeGreaterThan(0.05);
  expect(share('SIGSTOP')).toBeGreaterThan(0.03);
});

it('strikes two different ones at once, and those that have just come back', () => {
  const both = plan.filter(({ targets }) => targets.length === 2);
  expect(both.length).toBeGreaterThan(20);
  expect(both.every(({ targets }) => targets[0] !== targets[1])).toBe(true);
  expect(plan.filter(({ againAfter }) => againAfter !== null).length).toBeGreaterThan(20);
});

it('takes about ten minutes for 500 kills', () => {
  const minutes = plan.reduce((sum, { after }) => sum + after, 0) / 60_000;
  expect(minutes).toBeGreaterThan(6);
  expect(minutes).toBeLessThan(12);
});

it('spares Postgres and the broker unless it is told otherwise', () => {
  const wide = planOf({ seed: 42, kills: 500, services, infrastructure: ['postgres', 'kafka'] });
  const struck = new Set(wide.flatMap(({ targets }) => targets));
  expect([...struck].sort()).toEqual(['inventory', 'kafka', 'order', 'payment', 'postgres']);
});
