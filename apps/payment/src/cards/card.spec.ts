import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  askedFor,
  authorizeCard,
  callOwed,
  captureCard,
  type Card,
  type CardAnswer,
  type CardDecision,
  expire,
  type GatewayAnswer,
  refundCard,
  settle,
  voidCard,
  type Waiting,
} from './card.js';

const claim = { customerId: 'ann', amount: 900, cardToken: 'card-ok' };
const waits = (command: Waiting['command'], attempt = 1): Waiting => ({
  command,
  attempt,
  messageId: `${command} ${attempt}`,
  traceparent: null,
});
const authorize = (card?: Card, more: object = {}, now = 0): CardDecision =>
  authorizeCard(
    card,
    { ...claim, deadline: 100, customerIsKnown: true, ...more },
    waits('authorize-payment'),
    now,
  );
const after = ({ card }: CardDecision): Card => {
  if (!card) throw new Error('nothing has changed');
  return card;
};
const requested = after(authorize());
const asked = askedFor(requested);
const held = settle(asked, { authorized: true }, 0).card;
const capturing = after(captureCard(held, waits('capture-payment')));
const captured = settle(capturing, { captured: true }, 0).card;

describe('an authorize by card', () => {
  it('is requested, and answered when the gateway has answered', () => {
    expect(authorize()).toMatchObject({
      card: { status: 'REQUESTED', asked: false },
      answer: { later: 'the gateway is asked' },
    });
    expect(settle(asked, { authorized: true }, 0)).toEqual({
      card: { status: 'HELD', claim },
      answers: [{ to: waits('authorize-payment'), answer: { done: true } }],
    });
  });

  it('is refused when the card is declined, and again when it is repeated', () => {
    const declined = settle(asked, { declined: 'insufficient_funds' }, 0);
    const refusal = { refused: 'CARD_DECLINED', detail: 'insufficient_funds' };
    expect(declined.answers).toEqual([{ to: waits('authorize-payment'), answer: refusal }]);
    expect(authorize(declined.card).answer).toEqual(refusal);
  });

  it('is refused for a customer without a wallet, and for one that comes too late, and the gateway is not asked', () => {
    const unknown = authorize(undefined, { customerIsKnown: false });
    expect(unknown.answer).toMatchObject({ refused: 'UNKNOWN_CUSTOMER' });
    const late = authorize(undefined, {}, 101);
    expect(late.answer).toMatchObject({ refused: 'EXPIRED' });
    expect([callOwed(after(unknown)), callOwed(after(late))]).toEqual([null, null]);
    expect(authorize(after(late), {}, 102).answer).toEqual(late.answer);
  });

  it('that is repeated while the gateway is asked gets an answer of its own', () => {
    const again = authorizeCard(
      asked,
      { ...claim, deadline: 100, customerIsKnown: true },
      waits('authorize-payment', 2),
      0,
    );
    expect(again.answer).toMatchObject({ later: expect.anything() });
    expect(settle(after(again), { authorized: true }, 0).answers.map(({ to }) => to.attempt)).toEqual([1, 2]);
  });

  it('that was asked before is looked up before it is asked again', () => {
    expect(callOwed(requested)).toBe('authorize');
    expect(callOwed(asked)).toBe('resolve');
  });
});

describe('a void', () => {
  it('of what was never asked needs no call', () => {
    expect(voidCard(requested, waits('void-payment'))).toEqual({
      card: { status: 'VOIDED', claim },
      answer: { done: true },
      answers: [{ to: waits('authorize-payment'), answer: expect.objectContaining({ refused: 'RELEASED' }) }],
    });
  });

  it('of what was asked finds out first, then voids, and is answered then', () => {
    const resolving = after(voidCard(asked, waits('void-payment')));
    expect(callOwed(resolving)).toBe('resolve');
    const voiding = settle(resolving, { authorized: true }, 0);
    expect([voiding.answers, callOwed(voiding.card)]).toEqual([[], 'void']);
    expect(settle(voiding.card, { voided: true }, 0)).toEqual({
      card: { status: 'VOIDED', claim },
      answers: [
        { to: waits('authorize-payment'), answer: expect.objectContaining({ refused: 'RELEASED' }) },
        { to: waits('void-payment'), answer: { done: true } },
      ],
    });
  });

  it('of what turns out to be declined is done', () => {
    const resolving = after(voidCard(asked, waits('void-payment')));
    expect(settle(resolving, { declined: 'no' }, 0)).toMatchObject({
      card: { status: 'VOIDED' },
      answers: [{ answer: { refused: 'RELEASED' } }, { answer: { done: true } }],
    });
  });

  it('refuses every authorize that comes after it', () => {
    for (const card of [
      after(voidCard(requested, waits('void-payment'))),
      after(voidCard(asked, waits('void-payment'))),
    ])
      expect(authorize(card).answer).toMatchObject({ refused: 'RELEASED' });
  });

  it('is refused when the money is charged', () => {
    for (const card of [capturing, captured])
      expect(voidCard(card, waits('void-payment')).answer).toMatchObject({ refused: 'ALREADY_CAPTURED' });
  });
});

describe('the deadline', () => {
  it('refuses what the gateway has not answered, and voids what it holds when it turns up later', () => {
    expect(expire(asked, 100)).toBeUndefined();
    const expired = expire(asked, 101);
    expect(expired?.answers).toMatchObject([{ answer: { refused: 'EXPIRED' } }]);
    if (!expired) throw new Error('not expired');
    const voiding = settle(expired.card, { authorized: true }, 200);
    expect(callOwed(voiding.card)).toBe('void');
    const ended = settle(voiding.card, { voided: true }, 200);
    expect(ended).toMatchObject({ card: { status: 'REFUSED', refusal: { reason: 'EXPIRED' } }, answers: [] });
    expect(authorize(ended.card).answer).toMatchObject({ refused: 'EXPIRED' });
  });

  it('of what was never asked needs no call', () => {
    expect(expire(requested, 101)).toMatchObject({ card: { status: 'REFUSED' } });
  });

  it('wins over an answer that comes after it', () => {
    const late = settle(asked, { authorized: true }, 101);
    expect(late.card.status).toBe('VOIDING');
    expect(late.answers).toMatchObject([{ answer: { refused: 'EXPIRED' } }]);
    expect(settle(asked, { declined: 'no' }, 101).answers).toHaveLength(1);
  });

  it('binds nothing that was authorized in time', () => {
    for (const card of [held, capturing, captured]) expect(expire(card, 1000)).toBeUndefined();
  });
});

describe('a capture and a refund', () => {
  it('are done when the gateway has done them, once', () => {
    expect(captured.status).toBe('CAPTURED');
    expect(captureCard(captured, waits('capture-payment')).answer).toEqual({ done: true });
    const refunding = after(refundCard(captured, waits('refund-payment')));
    const refunded = settle(refunding, { refunded: true }, 0);
    expect(refunded).toMatchObject({ card: { status: 'REFUNDED' }, answers: [{ answer: { done: true } }] });
    expect(refundCard(refunded.card, waits('refund-payment')).answer).toEqual({ done: true });
  });

  it('a refund that comes while the capture is under way follows it', () => {
    const both = after(refundCard(capturing, waits('refund-payment')));
    const settled = settle(both, { captured: true }, 0);
    expect(settled.card.status).toBe('REFUNDING');
    expect(settled.answers.map(({ to }) => to.command)).toEqual(['capture-payment']);
    expect(settle(settled.card, { refunded: true }, 0).answers.map(({ to }) => to.command)).toEqual([
      'refund-payment',
    ]);
  });

  it('a refund of what is only held voids it', () => {
    expect(callOwed(after(refundCard(held, waits('refund-payment'))))).toBe('void');
  });

  it('a capture of what is not held is refused', () => {
    for (const card of [undefined, requested, asked, after(voidCard(held, waits('void-payment')))])
      expect(captureCard(card, waits('capture-payment')).answer).toMatchObject({ refused: 'NOT_AUTHORIZED' });
  });
});

it('an answer that cannot be is not built upon', () => {
  expect(() => settle(held, { captured: true }, 0)).toThrow(
    'the gateway answered captured to a card that is HELD',
  );
  expect(() => settle(asked, { voided: true }, 0)).toThrow('REQUESTED');
});

/** The gateway as far as it matters here: what it did to which, and that it does each once. */
type Theirs = 'NOTHING' | 'AUTHORIZED' | 'DECLINED' | 'CAPTURED' | 'VOIDED' | 'REFUNDED';

type Act =
  | { readonly act: 'authorize' | 'void' | 'capture' | 'refund' }
  /** The owed call is made: answered; done and the answer lost; not done at all. */
  | { readonly act: 'call'; readonly ends: 'answered' | 'lost' | 'failed'; readonly declines: boolean }
  | { readonly act: 'time passes' };

const anAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constantFrom('authorize', 'void', 'capture', 'refund') }),
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('call' as const),
      ends: fc.constantFrom('answered', 'lost', 'failed'),
      declines: fc.boolean(),
    }),
  },
  fc.record({ act: fc.constant('time passes' as const) }),
);

describe('any history of a card', () => {
  it('ends with our books equal to the gateway’s, whatever was lost on the way', () => {
    fc.assert(
      fc.property(fc.array(anAct, { maxLength: 40 }), (acts) => {
        let ours: Card | undefined;
        let theirs: Theirs = 'NOTHING';
        let now = 0;
        const call = (ends: string, declines: boolean): void => {
          if (!ours) return;
          const before = ours;
          ours = expire(before, now)?.card ?? askedFor(before);
          if (ours.status !== before.status) return;
          const owed = callOwed(before);
          if (!owed || ends === 'failed') return;
          if (owed === 'authorize' || owed === 'resolve') {
            if (theirs === 'NOTHING') theirs = declines ? 'DECLINED' : 'AUTHORIZED';
          } else theirs = { capture: 'CAPTURED', void: 'VOIDED', refund: 'REFUNDED' }[owed] as Theirs;
          if (ends === 'answered') ours = settle(ours, answerOf(theirs), now).card;
        };
        for (const next of acts) {
          if (next.act === 'call') call(next.ends, next.declines);
          else if (next.act === 'time passes') now += 60;
          else ours = commanded(ours, next.act, now).card ?? ours;
        }
        for (let n = 0; n < 10 && ours && callOwed(ours); n += 1) call('answered', false);
        expect(ours && callOwed(ours)).toBeFalsy();
        const equal: Record<string, readonly Theirs[]> = {
          HELD: ['AUTHORIZED'],
          CAPTURED: ['CAPTURED'],
          REFUNDED: ['REFUNDED'],
          VOIDED: ['NOTHING', 'VOIDED', 'DECLINED'],
          REFUSED: ['NOTHING', 'VOIDED', 'DECLINED'],
          none: ['NOTHING'],
        };
        expect(equal[ours?.status ?? 'none']).toContain(theirs);
      }),
      { numRuns: 2000 },
    );
  });
});

function commanded(
  card: Card | undefined,
  act: 'authorize' | 'void' | 'capture' | 'refund',
  now: number,
): CardDecision {
  if (act === 'authorize') return authorize(card, {}, now);
  if (act === 'capture') return captureCard(card, waits('capture-payment'));
  // Without a card the void is the wallets' matter: its tombstone is there.
  if (!card) return { answer: { done: true } satisfies CardAnswer };
  return act === 'void' ? voidCard(card, waits('void-payment')) : refundCard(card, waits('refund-payment'));
}

function answerOf(theirs: Theirs): GatewayAnswer {
  switch (theirs) {
    case 'AUTHORIZED':
      return { authorized: true };
    case 'CAPTURED':
      return { captured: true };
    case 'VOIDED':
      return { voided: true };
    case 'REFUNDED':
      return { refunded: true };
    case 'DECLINED':
    case 'NOTHING':
      return { declined: 'no' };
  }
}
