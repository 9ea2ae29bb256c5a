import { describe, expect, it } from '@jest/globals';
import { dependency, why } from './a-dependency.spec-data.js';
import { attemptTimeout } from './attempt-timeout.js';
import { breaker } from './breaker.js';
import { bulkhead } from './bulkhead.js';
import { deadline } from './deadline.js';
import { fallback, type FellBack } from './fallback.js';
import { FakeClock } from './fake-clock.js';
import { LoadShedding } from './load-shedding.js';
import { Resilience } from './resilience.js';
import { retry } from './retry.js';

describe('the order of a pipeline', () => {
  it('is checked by the compiler', () => {
    const resilience = new Resilience({ clock: new FakeClock() });
    resilience.pipeline(
      'in order',
      fallback('default', () => 0),
      deadline({ within: 5000 }),
      bulkhead({ limit: 5 }),
      retry({ attempts: 3 }),
      breaker(),
      attemptTimeout({ within: 1000 }),
    );
    resilience.pipeline('with gaps', deadline({ within: 5000 }), breaker());
    const to = resilience.pipeline.bind(resilience);
    // @ts-expect-error a breaker around the retries would count one call where three were made
    to('retry in the breaker', breaker(), retry({ attempts: 3 }));
    // @ts-expect-error a bulkhead within the retries would give its slot away during the pause
    to('bulkhead in the retry', retry({ attempts: 3 }), bulkhead({ limit: 5 }));
    const zero = fallback('cached', () => 0);
    // @ts-expect-error a fallback within the breaker would look like a success
    to('fallback in the breaker', breaker(), zero);
    // @ts-expect-error each once
    to('twice', breaker(), breaker());
    expect(resilience.view().breakers.map(({ name }) => name)).toContain('in order');
  });

  it('belongs to one dependency of that name', () => {
    const resilience = new Resilience({ clock: new FakeClock() });
    resilience.pipeline('gateway', breaker());
    expect(() => resilience.pipeline('gateway', breaker())).toThrow('there is a pipeline gateway already');
  });
});

describe('a deadline', () => {
  it('refuses what comes too late, and asks nobody', async () => {
    const given = dependency(deadline({ within: 1000 }));
    const late = given.pipeline.execute(() => Promise.resolve('fine'), { deadline: given.clock.now() });
    await expect(late).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(given.asked).toBe(0);
    expect(given.events).toEqual([expect.objectContaining({ type: 'refused', reason: 'DEADLINE_EXCEEDED' })]);
  });

  it('that the call brought along is kept when it is nearer than that of the pipeline', async () => {
    const given = dependency(deadline({ within: 1000 }));
    const call = given.hang({ deadline: given.clock.now() + 300 });
    await given.clock.advance(300);
    expect(await why(call.answer)).toBe('dependency: the deadline has passed');
    expect(call.call.signal?.aborted).toBe(true);
  });

  it('covers all attempts together', async () => {
    const given = dependency(
      deadline({ within: 250 }),
      retry({ attempts: 10, firstPause: 1 }),
      attemptTimeout({ within: 100 }),
    );
    const call = given.hang();
    await given.clock.advance(250);
    expect(await why(call.answer)).toBe('dependency: the deadline has passed');
    expect(given.asked).toBe(3);
    expect(given.clock.waiting).toBe(0);
  });
});

describe('a fallback', () => {
  it('answers with a label, and says why', async () => {
    const given = dependency(fallback('cached', () => 42));
    const answer: string | FellBack<number> = await given.fail();
    expect(answer).toEqual({ fallback: 'cached', value: 42 });
    expect(given.events).toEqual([
      expect.objectContaining({ type: 'fallback', label: 'cached', error: new Error('down') }),
    ]);
  });

  it('is not asked when the answer came', async () => {
    const given = dependency(
      fallback('cached', () => {
        throw new Error('asked');
      }),
    );
    expect(await given.succeed()).toBe('fine');
  });

  it('may have nothing, and then says so', async () => {
    const given = dependency(
      fallback('cached', (error) => {
        throw error;
      }),
    );
    expect(await why(given.fail())).toBe('down');
  });
});

it('a listener that throws harms no call', async () => {
  const given = dependency(breaker({ minimum: 1 }), attemptTimeout({ within: 100 }));
  given.resilience.on(() => {
    throw new Error('broken listener');
  });
  expect(await given.succeed()).toBe('fine');
  expect(await why(given.fail())).toBe('down');
});

it('each attempt is told of once, with its number, its result and its time', async () => {
  const given = dependency(retry({ attempts: 2, firstPause: 10 }), attemptTimeout({ within: 100 }));
  const failing = why(given.fail());
  await given.clock.advance(10);
  await failing;
  expect(given.events.filter(({ type }) => type === 'attempt')).toEqual([
    expect.objectContaining({ number: 1, result: 'failure', milliseconds: 0 }),
    expect.objectContaining({ number: 2, result: 'failure', milliseconds: 0 }),
  ]);
});

describe('load shedding', () => {
  it('refuses what is above its limit, and takes the next when one has ended', () => {
    const door = new LoadShedding({ limit: 2, longestDelay: 100, delay: () => 0 });
    const first = door.enter();
    door.enter();
    expect(door.enter()).toEqual({ shed: 'TOO_MANY' });
    if (typeof first !== 'function') throw new Error('refused');
    first();
    first();
    expect(door.view).toEqual({ limit: 2, active: 1, shed: 1 });
    expect(typeof door.enter()).toBe('function');
    expect(door.enter()).toEqual({ shed: 'TOO_MANY' });
  });

  it('refuses while the event loop lags', () => {
    let delay = 101;
    const door = new LoadShedding({ limit: 2, longestDelay: 100, delay: () => delay });
    expect(door.enter()).toEqual({ shed: 'TOO_SLOW' });
    delay = 100;
    expect(typeof door.enter()).toBe('function');
  });
});
