import { describe, expect, it } from '@jest/globals';
import { dependency, why } from './a-dependency.spec-data.js';
import { attemptTimeout } from './attempt-timeout.js';
import { breaker, type BreakerSettings } from './breaker.js';
import { bulkhead } from './bulkhead.js';

const open = 'dependency: its breaker is open';
const guarded = (settings: BreakerSettings = {}) =>
  dependency(breaker({ minimum: 4, openFor: 1000, longestOpen: 5000, ...settings }));
type Guarded = ReturnType<typeof guarded>;

async function times(n: number, call: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < n; done += 1) await call().catch(() => undefined);
}
const opened = async (settings?: BreakerSettings): Promise<Guarded> => {
  const given = guarded(settings);
  await times(4, given.fail);
  expect(given.breaker()?.state).toBe('OPEN');
  return given;
};

describe('a closed breaker', () => {
  it('opens when enough calls were made and half of them failed, and says so', async () => {
    const { fail, succeed, breaker: it, events } = guarded();
    await times(2, succeed);
    await times(1, fail);
    expect(it()?.state).toBe('CLOSED');
    await times(1, fail);
    expect(it()).toMatchObject({
      state: 'OPEN',
      cause: '2 of 4 calls failed within 10 s',
      calls: 4,
      failures: 2,
    });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'breaker-transition', from: 'CLOSED', to: 'OPEN' }),
    );
  });

  it('does not open while too few calls were made', async () => {
    const { fail, breaker: it } = guarded({ minimum: 10 });
    await times(9, fail);
    expect(it()?.state).toBe('CLOSED');
  });

  it('opens at a rate of 1 when every call failed', async () => {
    const { fail, breaker: it } = guarded({ failureRate: 1 });
    await times(4, fail);
    expect(it()?.state).toBe('OPEN');
  });

  it('forgets what is older than its window', async () => {
    const { clock, fail, breaker: it } = guarded({ window: 10_000 });
    await times(3, fail);
    await clock.advance(10_001);
    await times(3, fail);
    expect(it()).toMatchObject({ state: 'CLOSED', calls: 3 });
  });

  it('opens when calls succeed, but too slowly', async () => {
    const { clock, hang, breaker: it } = guarded({ slowAfter: 500, slowRate: 0.8 });
    const calls = Array.from({ length: 4 }, () => hang());
    await clock.advance(600);
    for (const { resolve, answer } of calls) {
      resolve('at last');
      await answer;
    }
    await clock.advance(0);
    expect(it()).toMatchObject({
      state: 'OPEN',
      cause: '4 of 4 calls took longer than 0.5 s within 10 s',
      slow: 4,
    });
  });

  it('counts a definite refusal as neither success nor failure', async () => {
    const { refuse, fail, succeed, breaker: it } = guarded();
    await times(20, refuse);
    expect(it()).toMatchObject({ state: 'CLOSED', calls: 0 });
    await times(2, succeed);
    await times(2, refuse);
    await times(2, fail);
    expect(it()?.state).toBe('OPEN');
  });

  it('counts what a bulkhead refused not at all', async () => {
    const { hang, pipeline, breaker: it } = dependency(bulkhead({ limit: 1 }), breaker({ minimum: 4 }));
    const first = hang();
    for (let n = 0; n < 20; n += 1)
      expect(await why(pipeline.execute(() => Promise.resolve()))).toBe(
        'dependency: too many calls are under way',
      );
    expect(it()).toMatchObject({ state: 'CLOSED', calls: 0, failures: 0 });
    first.resolve('fine');
    await first.answer;
    expect(it()).toMatchObject({ state: 'CLOSED', calls: 1, failures: 0 });
  });

  it('counts a call that its caller gave up not at all, unless it was slow', async () => {
    const given = dependency(breaker({ minimum: 1, slowAfter: 500 }), attemptTimeout({ within: 10_000 }));
    for (const waited of [500, 501]) {
      const gone = new AbortController();
      const { answer } = given.hang({ signal: gone.signal });
      await given.clock.advance(waited);
      expect(given.breaker()).toMatchObject({ state: 'CLOSED', calls: 0 });
      gone.abort(new Error('gone'));
      expect(await why(answer)).toBe('gone');
    }
    expect(given.breaker()).toMatchObject({ state: 'OPEN', failures: 1 });
  });
});

describe('an open breaker', () => {
  it('asks nobody, and says when to come again', async () => {
    const given = await opened();
    expect(given.asked).toBe(4);
    await given.clock.advance(400);
    await expect(given.succeed()).rejects.toMatchObject({ reason: 'BREAKER_OPEN', retryAfterMs: 600 });
    expect(given.asked).toBe(4);
    expect(given.breaker()?.refused).toBe(1);
  });

  it('is half-open after its time, and closed when the probe succeeds', async () => {
    const given = await opened();
    await given.clock.advance(1000);
    expect(given.breaker()?.state).toBe('HALF_OPEN');
    expect(await given.succeed()).toBe('fine');
    expect(given.breaker()).toMatchObject({ state: 'CLOSED', cause: 'its probe succeeded', calls: 0 });
  });

  it('lets one probe through and refuses the others meanwhile', async () => {
    const given = await opened();
    await given.clock.advance(1000);
    const probe = given.hang();
    expect(await Promise.all([why(given.succeed()), why(given.succeed())])).toEqual([open, open]);
    expect(given.asked).toBe(5);
    probe.resolve('fine');
    await probe.answer;
    expect(given.breaker()?.state).toBe('CLOSED');
  });

  it('stays open longer after each probe that fails, up to its limit', async () => {
    const given = await opened();
    for (const waited of [1000, 2000, 4000, 5000, 5000]) {
      const { retryAt, since } = given.breaker() ?? {};
      expect((retryAt ?? 0) - (since ?? 0)).toBe(waited);
      await given.clock.advance(waited);
      expect(await why(given.fail())).toBe('down');
    }
    await given.clock.advance(5000);
    await given.succeed();
    await times(4, given.fail);
    const { retryAt, since } = given.breaker() ?? {};
    expect((retryAt ?? 0) - (since ?? 0)).toBe(1000);
  });

  it('does not wait for ever for a probe that hangs', async () => {
    const given = await opened({ probeWithin: 3000 });
    await given.clock.advance(1000);
    const hung = given.hang();
    await given.clock.advance(3000);
    expect(given.breaker()).toMatchObject({ state: 'OPEN', cause: 'its probe had no answer within 3 s' });
    await given.clock.advance(2000);
    expect(given.breaker()?.state).toBe('HALF_OPEN');
    // The late answer belongs to a probe that has failed already.
    hung.resolve('late');
    await hung.answer;
    expect(given.breaker()?.state).toBe('HALF_OPEN');
    await given.succeed();
    expect(given.breaker()?.state).toBe('CLOSED');
  });

  it('lets the next one be the probe when the first said nothing of the dependency', async () => {
    const given = await opened();
    await given.clock.advance(1000);
    expect(await why(given.refuse())).toBe('no');
    expect(given.breaker()?.state).toBe('HALF_OPEN');
    await given.succeed();
    expect(given.breaker()?.state).toBe('CLOSED');
  });

  it('does not close by a probe that succeeds too slowly', async () => {
    const given = await opened({ slowAfter: 500 });
    await given.clock.advance(1000);
    const probe = given.hang();
    await given.clock.advance(501);
    probe.resolve('at last');
    await probe.answer;
    expect(given.breaker()).toMatchObject({ state: 'OPEN', cause: 'its probe took longer than 0.5 s' });
  });
});

describe('a late result', () => {
  it('of an earlier life closes no half-open breaker', async () => {
    const given = guarded();
    const late = given.hang();
    await times(4, given.fail);
    await given.clock.advance(1000);
    late.resolve('late');
    await late.answer;
    expect(given.breaker()?.state).toBe('HALF_OPEN');
  });

  it('of an earlier life is not counted in this one', async () => {
    const given = guarded();
    const late = Array.from({ length: 10 }, () => given.hang());
    await times(4, given.fail);
    await given.clock.advance(1000);
    await given.succeed();
    for (const { reject } of late) reject(new Error('late'));
    await Promise.allSettled(late.map(({ answer }) => answer));
    expect(given.breaker()).toMatchObject({ state: 'CLOSED', calls: 0, failures: 0 });
  });
});

describe('an isolated breaker', () => {
  it('refuses every call until it is released, and then tries one', async () => {
    const given = guarded();
    expect(given.resilience.isolate('dependency')).toBe(true);
    await given.clock.advance(60_000);
    await expect(given.succeed()).rejects.toMatchObject({ reason: 'ISOLATED' });
    expect(given.asked).toBe(0);
    given.resilience.release('dependency');
    expect(given.breaker()).toMatchObject({ state: 'HALF_OPEN', cause: 'released by hand' });
    await given.succeed();
    expect(given.breaker()?.state).toBe('CLOSED');
  });

  it('stays so when it was open, and its time is over', async () => {
    const given = await opened();
    given.resilience.isolate('dependency');
    expect(given.clock.waiting).toBe(0);
    await given.clock.advance(10_000);
    expect(given.breaker()?.state).toBe('ISOLATED');
  });

  it('is no breaker at all under another name', () => {
    expect(guarded().resilience.isolate('other')).toBe(false);
  });
});

it('a breaker refuses settings that cannot be', () => {
  expect(() => breaker({ failureRate: 50 })).toThrow('failureRate is 50; it must be above 0 and at most 1');
  expect(() => breaker({ openFor: 0 })).toThrow('openFor is 0');
  expect(() => breaker({ minimum: 0.5 })).toThrow('minimum is 0.5');
});
