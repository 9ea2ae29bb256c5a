import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { saga, step, type CommandHead, type CommandKind } from './definition.js';
import { Contradiction, decide, NotAllowed, retryDelay, start, type SagaMessage } from './decide.js';
import { deadLettered, done, givenSaga, refused } from './saga-test.js';
import { hasEnded, isSuspended, nextDue, skippedReasons, statusOf, type SagaState } from './state.js';

const kind = (name: string): CommandKind<CommandHead> => ({
  type: `test.somewhere.${name}.v1`,
  topic: 'somewhere.commands',
  body: { _zod: { output: { orderId: '', attempt: 1 } } },
});
const plain = (name: string, command: string) => step<object, CommandHead>(name, kind(command));

const order = saga<object>({ name: 'order', version: 1, deadlineSeconds: 120 })
  .compensatable(
    plain('stock', 'reserve').refusedFor('OUT_OF_STOCK', 'EXPIRED').compensatedBy(kind('release')),
    plain('money', 'authorize').refusedFor('POOR', 'EXPIRED').compensatedBy(kind('void')),
  )
  .pivot('approve')
  .retriable(plain('sold', 'confirm'), plain('paid', 'capture'))
  .end();

const inTurn = saga<object>({ name: 'in-turn', version: 1, deadlineSeconds: 10 })
  .compensatable(plain('first', 'one').refusedFor('NO').compensatedBy(kind('undo-one')))
  .compensatable(plain('second', 'two').refusedFor('NO').compensatedBy(kind('undo-two')))
  .pivot('go')
  .retriable(plain('third', 'three'))
  .end();

const begun = () => givenSaga(order, {});

describe('a saga on its way forward', () => {
  it('sends the commands of its first group side by side, with its deadline', () => {
    const story = begun();
    expect(story.sent).toEqual(['reserve', 'authorize']);
    expect(story.last.commands.map((command) => command.deadline)).toEqual([120_000, 120_000]);
  });

  it('waits for every step of the group before it approves', () => {
    expect(begun().when(done('reserve'))).toMatchObject({ phase: 'DECIDING', said: [], sent: [] });
  });

  it('is approved when all are done, in either order, and sends what follows without a deadline', () => {
    for (const answers of [
      [done('reserve'), done('authorize')],
      [done('authorize'), done('reserve')],
    ]) {
      const story = begun().when(...answers);
      expect(story).toMatchObject({ phase: 'COMPLETING', said: ['approved'], sent: ['confirm', 'capture'] });
      expect(story.last.commands.map((command) => command.deadline)).toEqual([null, null]);
    }
  });

  it('is completed when everything after the pivot is done', () => {
    const story = begun().when(done('reserve'), done('authorize'), done('capture'), done('confirm'));
    expect(story).toMatchObject({ phase: 'COMPLETED', said: ['completed'], sent: [] });
    expect(nextDue(story.last.state)).toBeNull();
  });

  it('runs groups one after the other', () => {
    const story = givenSaga(inTurn, {});
    expect(story.sent).toEqual(['one']);
    expect(story.when(done('one')).sent).toEqual(['two']);
    expect(story.when(done('one'), done('two')).sent).toEqual(['three']);
  });
});

describe('a saga that turns back', () => {
  it('is rejected by the first refusal and undoes what was done', () => {
    const story = begun().when(done('reserve'), refused('authorize', 'POOR'));
    expect(story).toMatchObject({ phase: 'COMPENSATING', said: ['rejected'], sent: ['release'] });
    expect(story.last.events).toEqual([{ type: 'rejected', reason: 'POOR', detail: 'authorize refused' }]);
  });

  it('undoes what might have been done: a step without an answer', () => {
    expect(begun().when(refused('reserve', 'OUT_OF_STOCK')).sent).toEqual(['void']);
  });

  it('leaves the refused step alone', () => {
    expect(begun().when(refused('reserve', 'OUT_OF_STOCK')).sent).not.toContain('release');
  });

  it('keeps the first of two refusals', () => {
    const story = begun().when(refused('reserve', 'OUT_OF_STOCK'), refused('authorize', 'POOR'));
    expect(story.outcome).toBe('LATE');
    expect(story.last.state.decision).toMatchObject({ approved: false, reason: 'OUT_OF_STOCK' });
  });

  it('is compensated when everything is undone', () => {
    const story = begun().when(refused('reserve', 'OUT_OF_STOCK'), done('void'));
    expect(story).toMatchObject({ phase: 'COMPENSATED', said: ['compensated'] });
  });

  it('takes no notice of a success that comes after the decision', () => {
    const story = begun().when(refused('reserve', 'OUT_OF_STOCK'), done('authorize'));
    expect(story).toMatchObject({ phase: 'COMPENSATING', outcome: 'LATE', sent: [] });
  });

  it('undoes groups in reverse, one after the other', () => {
    const story = givenSaga(inTurn, {}).when(done('one')).after(10_000).when({ type: 'tick' });
    expect(story.sent).toEqual(['undo-two']);
    expect(story.when(done('undo-two')).sent).toEqual(['undo-one']);
    expect(story.when(done('undo-two'), done('undo-one')).said).toEqual(['compensated']);
  });

  it('has nothing to undo when its only step was refused', () => {
    expect(givenSaga(inTurn, {}).when(refused('one', 'NO')).said).toEqual(['rejected', 'compensated']);
  });
});

describe('time', () => {
  it('rejects at the deadline and names who was silent', () => {
    const story = begun().when(done('reserve')).after(120_000).when({ type: 'tick' });
    expect(story).toMatchObject({ said: ['rejected'], sent: ['release', 'void'] });
    expect(story.last.events[0]).toMatchObject({
      reason: 'TIMED_OUT',
      detail: 'no answer in time to: money',
    });
  });

  it('does nothing before anything is due', () => {
    expect(begun().after(9_999).when({ type: 'tick' })).toMatchObject({ outcome: 'EARLY', sent: [] });
  });

  it('repeats a command that nobody answered, with the next attempt and its old deadline', () => {
    const story = begun().when(done('reserve')).after(10_000).when({ type: 'tick' });
    expect(story.last.commands).toMatchObject([{ attempt: 2, deadline: 120_000 }]);
    expect(story.sent).toEqual(['authorize']);
  });

  it('repeats for ever after the pivot and in compensation, and never suspends for silence', () => {
    for (const start of [
      begun().when(done('reserve'), done('authorize')),
      begun().when(refused('reserve', 'OUT_OF_STOCK')),
    ]) {
      let story = start;
      for (let hour = 0; hour < 48; hour++) {
        story = story.after(3_600_000).when({ type: 'tick' });
        expect(story.sent.length).toBeGreaterThan(0);
        expect(isSuspended(story.last.state)).toBe(false);
      }
    }
  });

  it('waits longer from attempt to attempt, up to a minute', () => {
    expect([1, 2, 3, 4, 50].map(retryDelay)).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('lets the answer win that comes before the tick, and the deadline that comes before the answer', () => {
    const both = begun().when(done('reserve')).after(120_000);
    expect(both.when(done('authorize')).said).toEqual(['approved']);
    expect(both.when(done('authorize'), { type: 'tick' }).said).not.toContain('rejected');
    expect(both.when({ type: 'tick' }, done('authorize')).outcome).toBe('LATE');
  });
});

describe('answers that come twice, late or from an older attempt', () => {
  it('counts a repeated answer once', () => {
    const story = begun().when(done('reserve'), done('reserve'));
    expect(story).toMatchObject({ outcome: 'REPEATED', sent: [], said: [] });
    expect(begun().when(refused('reserve', 'OUT_OF_STOCK'), refused('reserve', 'OUT_OF_STOCK')).outcome).toBe(
      'REPEATED',
    );
  });

  it('accepts the answer to an older attempt', () => {
    const story = begun().after(10_000).when({ type: 'tick' }, done('reserve', 1), done('authorize', 2));
    expect(story.said).toEqual(['approved']);
  });

  it('ignores the dead letter of an older attempt', () => {
    const story = begun().after(10_000).when({ type: 'tick' }, deadLettered('reserve', 1));
    expect(story.outcome).toBe('LATE');
  });

  it('throws at an answer to what was never sent, and at two answers that contradict each other', () => {
    expect(() => begun().when(done('confirm'))).toThrow(Contradiction);
    expect(() => begun().when(done('release'))).toThrow(Contradiction);
    expect(() => begun().when(done('unheard-of'))).toThrow(Contradiction);
    expect(() => begun().when(done('reserve'), refused('reserve', 'OUT_OF_STOCK'))).toThrow(Contradiction);
    expect(() => begun().when(refused('reserve', 'OUT_OF_STOCK'), done('reserve'))).toThrow(Contradiction);
  });
});

describe('a saga that cannot go on by itself', () => {
  const afterPivot = () =>
    begun().when(done('reserve'), done('authorize'), refused('capture', 'NOT_AUTHORIZED'));

  it('is suspended by a refusal where none is legal', () => {
    expect(afterPivot().said).toEqual(['suspended']);
    expect(statusOf(afterPivot().last.state)).toBe('SUSPENDED');
    expect(statusOf(begun().when(refused('reserve', 'UNHEARD_OF')).last.state)).toBe('SUSPENDED');
  });

  it('is suspended by a compensation that is refused', () => {
    const story = begun().when(refused('reserve', 'OUT_OF_STOCK'), refused('void', 'ALREADY_CAPTURED'));
    expect(statusOf(story.last.state)).toBe('SUSPENDED');
  });

  it('is suspended by a dead-lettered command, and goes on by itself when the redriven one is answered', () => {
    const story = begun().when(done('authorize'), deadLettered('reserve'));
    expect(statusOf(story.last.state)).toBe('SUSPENDED');
    expect(story.when(done('reserve')).said).toEqual(['resumed', 'approved']);
  });

  it('is rejected when the redriven command is refused', () => {
    const story = begun().when(
      done('authorize'),
      deadLettered('reserve'),
      refused('reserve', 'OUT_OF_STOCK'),
    );
    expect(story).toMatchObject({ said: ['resumed', 'rejected'], sent: ['void'] });
  });

  it('still takes the other answers', () => {
    expect(afterPivot().when(done('confirm')).outcome).toBe('ADVANCED');
  });

  it('is still rejected at its deadline, and then undoes the stuck step, too', () => {
    const story = begun()
      .when(done('authorize'), deadLettered('reserve'))
      .after(120_000)
      .when({ type: 'tick' });
    expect(story).toMatchObject({ said: ['resumed', 'rejected'], sent: ['release', 'void'] });
  });

  it('sends the stuck command again when it is resumed', () => {
    const story = afterPivot().when({ type: 'resume' });
    expect(story).toMatchObject({ sent: ['capture'], said: ['resumed'] });
    expect(story.last.commands).toMatchObject([{ attempt: 2 }]);
  });

  it('can be compensated before the pivot only', () => {
    const stuck = begun().when(done('authorize'), deadLettered('reserve'));
    expect(stuck.when({ type: 'compensate', reason: 'x' })).toMatchObject({
      said: ['resumed', 'rejected'],
      sent: ['release', 'void'],
    });
    expect(() => afterPivot().when({ type: 'compensate', reason: 'x' })).toThrow(NotAllowed);
  });

  it('can be skipped after the decision only, and remembers why', () => {
    const story = afterPivot().when({ type: 'skip', reason: 'paid in cash' }, done('confirm'));
    expect(story.said).toEqual(['completed']);
    expect(skippedReasons(story.last.state)).toEqual(['paid: paid in cash']);
    expect(() => begun().when(deadLettered('reserve'), { type: 'skip', reason: 'x' })).toThrow(NotAllowed);
  });

  it('refuses operators while it is not suspended', () => {
    for (const message of [
      { type: 'resume' },
      { type: 'compensate', reason: 'x' },
      { type: 'skip', reason: 'x' },
    ] as const) {
      expect(() => begun().when(message)).toThrow(NotAllowed);
    }
  });
});

describe('any saga under any sequence of messages', () => {
  const commands = ['reserve', 'authorize', 'release', 'void', 'confirm', 'capture'];
  const message: fc.Arbitrary<SagaMessage> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('done' as const),
        command: fc.constantFrom(...commands),
        attempt: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('refused' as const),
        command: fc.constantFrom(...commands),
        attempt: fc.integer({ min: 1, max: 3 }),
        reason: fc.constantFrom('OUT_OF_STOCK', 'POOR', 'EXPIRED', 'ODD'),
        detail: fc.constant(''),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('dead-lettered' as const),
        command: fc.constantFrom(...commands),
        attempt: fc.integer({ min: 1, max: 3 }),
        detail: fc.constant(''),
      }),
    },
    { weight: 3, arbitrary: fc.constant<SagaMessage>({ type: 'tick' }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<SagaMessage>(
        { type: 'resume' },
        { type: 'compensate', reason: '' },
        { type: 'skip', reason: '' },
      ),
    },
  );

  /** Runs a history, leaving out what the decider refuses, and looks at every state on the way. */
  function run(
    history: readonly (readonly [SagaMessage, number])[],
    look: (before: SagaState, after: SagaState) => void,
  ): SagaState {
    let now = 0;
    let state = start(order, {}, now).state;
    for (const [next, wait] of history) {
      now += wait;
      try {
        const decided = decide(order, state, {}, next, now);
        look(state, decided.state);
        state = decided.state;
      } catch (error) {
        if (!(error instanceof Contradiction) && !(error instanceof NotAllowed)) throw error;
      }
    }
    return state;
  }
  const history = fc.array(fc.tuple(message, fc.integer({ min: 0, max: 50_000 })), { maxLength: 40 });

  it('decides at most once, and never takes a decision back', () => {
    fc.assert(
      fc.property(history, (messages) => {
        run(messages, (before, after) => {
          if (before.decision) expect(after.decision).toEqual(before.decision);
        });
      }),
    );
  });

  it('never approves without both steps done, and never compensates an approved order', () => {
    fc.assert(
      fc.property(history, (messages) => {
        const compensations = new Set<string>();
        run(messages, (_, after) => {
          for (const [name, state] of Object.entries(after.steps)) {
            if (state.status === 'COMPENSATING' || state.status === 'COMPENSATED') compensations.add(name);
          }
          if (after.decision?.approved) {
            expect(after.steps['stock']?.status).toBe('DONE');
            expect(after.steps['money']?.status).toBe('DONE');
            expect(compensations.size).toBe(0);
          }
        });
      }),
    );
  });

  it('always has a way on: a due time, an operator, or its end', () => {
    fc.assert(
      fc.property(history, (messages) => {
        const state = run(messages, () => undefined);
        expect(hasEnded(state) || isSuspended(state) || nextDue(state) !== null).toBe(true);
      }),
    );
  });

  it('ends when everything that is outstanding is answered', () => {
    fc.assert(
      fc.property(history, (messages) => {
        let state = run(messages, () => undefined);
        for (let round = 0; round < 10 && !hasEnded(state); round++) {
          if (isSuspended(state)) state = decide(order, state, {}, { type: 'resume' }, 10_000_000).state;
          for (const [name, at] of Object.entries(state.steps)) {
            const found = [...order.compensatable, ...order.retriable]
              .flat()
              .find((each) => each.name === name);
            const out =
              at.status === 'SENT'
                ? found?.command
                : at.status === 'COMPENSATING'
                  ? found?.compensation
                  : null;
            if (out) state = decide(order, state, {}, done(out.type.split('.')[2] ?? ''), 10_000_000).state;
          }
        }
        expect(hasEnded(state)).toBe(true);
      }),
    );
  });
});

describe('a definition', () => {
  it('is refused when a step before the pivot cannot be undone', () => {
    expect(() =>
      saga<object>({ name: 'x', version: 1, deadlineSeconds: 1 })
        .compensatable(plain('a', 'a'))
        .pivot('p')
        .end(),
    ).toThrow('cannot be undone');
  });

  it('is refused when two steps send the same command, for a reply could not be told apart', () => {
    const twice = plain('a', 'a').compensatedBy(kind('a'));
    expect(() =>
      saga<object>({ name: 'x', version: 1, deadlineSeconds: 1 }).compensatable(twice).pivot('p').end(),
    ).toThrow('same command');
  });

  it('is refused when a step after the pivot could be refused', () => {
    expect(() =>
      saga<object>({ name: 'x', version: 1, deadlineSeconds: 1 })
        .compensatable(plain('a', 'a').compensatedBy(kind('b')))
        .pivot('p')
        .retriable(plain('c', 'c').refusedFor('NO'))
        .end(),
    ).toThrow('may not be refused');
  });
});
