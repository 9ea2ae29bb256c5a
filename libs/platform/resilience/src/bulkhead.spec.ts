import { describe, expect, it } from '@jest/globals';
import { dependency, why } from './a-dependency.spec-data.js';
import { attemptTimeout } from './attempt-timeout.js';
import { bulkhead } from './bulkhead.js';
import { deadline } from './deadline.js';
import { retry } from './retry.js';

const full = 'dependency: too many calls are under way';
type Given = { readonly resilience: { view(): { readonly bulkheads: readonly unknown[] } } };
const slots = ({ resilience }: Given) => resilience.view().bulkheads[0];

describe('a bulkhead', () => {
  it('lets so many in, so many wait, and refuses the next', async () => {
    const given = dependency(bulkhead({ limit: 2, queue: 1 }));
    const calls = [given.hang(), given.hang(), given.hang()];
    expect(await why(given.succeed())).toBe(full);
    expect(slots(given)).toMatchObject({ limit: 2, active: 2, queued: 1, refused: 1 });
    for (const { resolve, answer } of calls) {
      resolve('fine');
      await answer;
    }
    await given.clock.advance(0);
    expect(slots(given)).toMatchObject({ active: 0, queued: 0 });
  });

  it('lets those who wait in one after the other', async () => {
    const given = dependency(bulkhead({ limit: 1, queue: 5 }));
    const [first, second, third] = [given.hang(), given.hang(), given.hang()];
    await given.clock.advance(0);
    expect(given.asked).toBe(1);
    first.resolve('fine');
    await given.clock.advance(0);
    expect(given.asked).toBe(2);
    expect(third.call.signal).toBeUndefined();
    second.resolve('fine');
    await given.clock.advance(0);
    expect(given.asked).toBe(3);
  });

  it('counts waiting against the deadline, and keeps no place for who has gone', async () => {
    const given = dependency(deadline({ within: 1000 }), bulkhead({ limit: 1, queue: 5 }));
    // Work that does not listen to its signal.
    const first = given.hang();
    const second = given.hang();
    await given.clock.advance(1000);
    expect(await why(second.answer)).toBe('dependency: the deadline has passed');
    expect(slots(given)).toMatchObject({ active: 1, queued: 0 });
    first.resolve('late');
    await given.clock.advance(0);
    expect(slots(given)).toMatchObject({ active: 0 });
    expect(given.asked).toBe(1);
  });

  it('frees the slot of a call that timed out only when its work has stopped', async () => {
    const given = dependency(bulkhead({ limit: 1 }), attemptTimeout({ within: 100 }));
    const stubborn = given.hang();
    await given.clock.advance(100);
    expect(await why(stubborn.answer)).toBe('dependency: no answer within 100 ms');
    expect(await why(given.succeed())).toBe(full);
    stubborn.resolve('late');
    await given.clock.advance(0);
    expect(await given.succeed()).toBe('fine');
  });

  it('frees the slot of a call whose deadline passed only when its work has stopped', async () => {
    const given = dependency(
      deadline({ within: 100 }),
      bulkhead({ limit: 1 }),
      attemptTimeout({ within: 5000 }),
    );
    const stubborn = given.hang();
    await given.clock.advance(100);
    expect(await why(stubborn.answer)).toBe('dependency: the deadline has passed');
    expect(await why(given.succeed())).toBe(full);
    stubborn.reject(new Error('late'));
    await given.clock.advance(0);
    expect(await given.succeed()).toBe('fine');
  });

  it('keeps the slot through the pause before another attempt', async () => {
    const given = dependency(bulkhead({ limit: 1 }), retry({ attempts: 2, firstPause: 1000 }));
    const failing = given.fail();
    failing.catch(() => undefined);
    await given.clock.advance(500);
    expect(await why(given.succeed())).toBe(full);
    await given.clock.advance(500);
    expect(await why(failing)).toBe('down');
    await given.clock.advance(0);
    expect(await given.succeed()).toBe('fine');
  });

  it('gives a slot on when who was admitted is aborted in the same moment', async () => {
    const given = dependency(bulkhead({ limit: 1, queue: 2 }));
    const first = given.hang();
    const gone = new AbortController();
    const second = given.hang({ signal: gone.signal });
    const third = given.hang();
    gone.abort(new Error('gone'));
    first.resolve('fine');
    await given.clock.advance(0);
    expect(await why(second.answer)).toBe('gone');
    third.resolve('fine');
    expect(await why(third.answer)).toBe('answered fine');
    await given.clock.advance(0);
    expect(slots(given)).toMatchObject({ active: 0, queued: 0 });
  });
});
