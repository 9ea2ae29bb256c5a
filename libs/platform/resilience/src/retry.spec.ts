import { describe, expect, it } from '@jest/globals';
import { dependency, why } from './a-dependency.spec-data.js';
import { attemptTimeout } from './attempt-timeout.js';
import { breaker } from './breaker.js';
import { deadline } from './deadline.js';
import { retriedByTheCaller, retry } from './retry.js';

const three = { attempts: 3, firstPause: 100, longestPause: 1000 };
const budgetOf = ({ resilience }: { resilience: { view(): { retryBudgets: readonly unknown[] } } }) =>
  resilience.view().retryBudgets[0];

describe('retry', () => {
  it('repeats a failure after pauses that double, and answers the last one', async () => {
    const given = dependency(retry(three));
    const failing = why(given.fail());
    await given.clock.advance(0);
    expect(given.asked).toBe(1);
    await given.clock.advance(100);
    expect(given.asked).toBe(2);
    await given.clock.advance(199);
    expect(given.asked).toBe(2);
    await given.clock.advance(1);
    expect(given.asked).toBe(3);
    expect(await failing).toBe('down');
    expect(given.events.filter(({ type }) => type === 'retry')).toHaveLength(2);
  });

  it('repeats nothing that was refused for good', async () => {
    const given = dependency(retry(three));
    expect(await why(given.refuse())).toBe('no');
    expect(given.asked).toBe(1);
  });

  it('never repeats what an open breaker refused', async () => {
    const given = dependency(retry(three), breaker({ minimum: 1 }));
    given.resilience.isolate('dependency');
    expect(await why(given.succeed())).toBe('dependency: its breaker was isolated by hand');
    expect(given.events.some(({ type }) => type === 'retry')).toBe(false);
    expect(budgetOf(given)).toMatchObject({ retries: 0 });
  });

  it('does not begin a pause that ends after the deadline', async () => {
    const given = dependency(deadline({ within: 150 }), retry(three));
    const failing = why(given.fail());
    await given.clock.advance(100);
    expect(await failing).toBe('down');
    expect(given.asked).toBe(2);
    expect(given.clock.waiting).toBe(0);
  });

  it('ends its pause when its caller goes away', async () => {
    const given = dependency(retry(three));
    const gone = new AbortController();
    const call = given.hang({ signal: gone.signal });
    call.reject(new Error('down'));
    await given.clock.advance(10);
    gone.abort(new Error('gone'));
    expect(await why(call.answer)).toBe('gone');
    expect(given.asked).toBe(1);
    expect(given.clock.waiting).toBe(0);
  });
});

describe('a retry budget', () => {
  it('is filled by calls, emptied by retries, and ends a storm', async () => {
    const given = dependency(retry({ attempts: 3, firstPause: 1, budget: { ratio: 0.1, capacity: 5 } }));
    const calls = Array.from({ length: 100 }, () => why(given.fail()));
    await given.clock.advance(10);
    await Promise.all(calls);
    // 5 that were there and 10 that 100 calls earn, less what did not fit into the bucket.
    expect(given.asked).toBeGreaterThan(100);
    expect(given.asked).toBeLessThanOrEqual(115);
    expect(budgetOf(given)).toMatchObject({ retries: given.asked - 100 });
    expect(given.events).toContainEqual(expect.objectContaining({ reason: 'RETRY_BUDGET_EXHAUSTED' }));
  });

  it('allows a tenth again when a tenth was earned ten times', async () => {
    const given = dependency(retry({ attempts: 2, firstPause: 1, budget: { ratio: 0.1, capacity: 1 } }));
    const failing = why(given.fail());
    await given.clock.advance(1);
    await failing;
    expect(given.asked).toBe(2);
    for (let n = 0; n < 9; n += 1) await given.succeed();
    const again = why(given.fail());
    await given.clock.advance(1);
    await again;
    expect(given.asked).toBe(2 + 9 + 2);
  });

  it('is drawn on by a caller that repeats by himself, and his repeats earn nothing', async () => {
    const given = dependency(retriedByTheCaller({ ratio: 0.1, capacity: 2 }));
    const repeat = () => why(given.pipeline.execute(() => Promise.resolve('fine'), { number: 2 }));
    expect([await repeat(), await repeat(), await repeat()]).toEqual([
      'answered fine',
      'answered fine',
      'dependency: the budget for retries is used up',
    ]);
    for (let n = 0; n < 10; n += 1) await given.succeed();
    expect(await repeat()).toBe('answered fine');
    expect(budgetOf(given)).toMatchObject({ retries: 3, refused: 1 });
  });

  it('keeps what an open breaker did not let through', async () => {
    const given = dependency(retriedByTheCaller({ capacity: 2 }), breaker());
    given.resilience.isolate('dependency');
    for (let n = 0; n < 10; n += 1)
      await given.pipeline.execute(() => Promise.resolve(), { number: 2 }).catch(() => undefined);
    expect(budgetOf(given)).toMatchObject({ tokens: 2, retries: 0, refused: 0 });
  });

  it('fills slowly by itself where it is told to, so that what is left is retried in the end', async () => {
    const given = dependency(retriedByTheCaller({ capacity: 1, perSecond: 0.5 }));
    const repeat = () => why(given.pipeline.execute(() => Promise.resolve('fine'), { number: 2 }));
    await repeat();
    await given.clock.advance(1900);
    expect(await repeat()).toBe('dependency: the budget for retries is used up');
    await given.clock.advance(100);
    expect(await repeat()).toBe('answered fine');
  });
});

describe('a timed-out attempt', () => {
  it("aborts its own signal and not its neighbour's", async () => {
    const given = dependency(attemptTimeout({ within: 100 }));
    const first = given.hang();
    await given.clock.advance(60);
    const second = given.hang();
    await given.clock.advance(40);
    expect(await why(first.answer)).toBe('dependency: no answer within 100 ms');
    expect(first.call.signal?.aborted).toBe(true);
    expect(second.call.signal?.aborted).toBe(false);
    second.resolve('fine');
    expect(await second.answer).toBe('fine');
    expect(given.clock.waiting).toBe(0);
  });

  it('is repeated with a signal of its own', async () => {
    const given = dependency(retry({ attempts: 2, firstPause: 50 }), attemptTimeout({ within: 100 }));
    const signals: AbortSignal[] = [];
    const answer = given.pipeline.execute(({ signal, number, remainingMs }) => {
      signals.push(signal);
      expect(remainingMs).toBe(100);
      return number === 1 ? new Promise<string>(() => undefined) : Promise.resolve('fine');
    });
    await given.clock.advance(150);
    expect(await answer).toBe('fine');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});
