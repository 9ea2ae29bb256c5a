import { describe, expect, it } from '@jest/globals';
import { StopBudget } from './stop-budget.js';

const never = new Promise<void>(() => undefined);

describe('the time of a stop', () => {
  it('is used up by one hanging step only as far as the later ones allow', async () => {
    const budget = new StopBudget(200);
    const begun = performance.now();
    await budget.step('consumers', never, 120);
    expect(budget.left()).toBeGreaterThan(50);
    await budget.step('relay', never);
    expect(performance.now() - begun).toBeLessThan(1000);
    // A timer may be early by less than a millisecond.
    expect(budget.left()).toBeLessThan(5);
    expect(budget.cut).toEqual(['consumers', 'relay']);
  });

  it('is not waited for when the step is done', async () => {
    const budget = new StopBudget(60_000);
    await budget.step('database', Promise.resolve());
    expect(budget.left()).toBeGreaterThan(50_000);
    expect(budget.cut).toEqual([]);
  });

  it('goes on after a step that failed, and names it', async () => {
    const budget = new StopBudget(60_000);
    await budget.step('relay', Promise.reject(new Error('away')));
    expect(budget.cut).toEqual(['relay']);
  });

  it('lets a step that comes too late finish what takes no time', async () => {
    const budget = new StopBudget(0);
    await budget.step('database', Promise.resolve());
    expect(budget.cut).toEqual([]);
  });
});
