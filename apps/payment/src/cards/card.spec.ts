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
  cardTombstone,
  expire,
  type GatewayAnswer,
  type LateAnswer,
  notAskedAfterAll,
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
  it('refuses what the gateway has not answered, when what it holds has turned up and is voided', () => {
    expect(expire(asked, 100)).toBeUndefined();
    const expired = expire(asked, 101);
    expect(expired?.answers).toEqual([]);
    if (!expired) throw new Error('not expired');
    const voiding = settle(expired.card, { authorized: true }, 200);
    expect(callOwed(voiding.card)).toBe('void');
    const ended = settle(voiding.card, { voided: true }, 200);
    expect(ended).toMatchObject({
      card: { status: 'REFUSED', refusal: { reason: 'EXPIRED' } },
      answers: [{ answer: { refused: 'EXPIRED' } }],
    });
    expect(authorize(ended.card).answer).toMatchObject({ refused: 'EXPIRED' });
  });

  it('of what was never asked needs no call', () => {
    expect(expire(requested, 101)).toMatchObject({
      card: { status: 'REFUSED' },
      answers: [{ answer: { refused: 'EXPIRED' } }],
    });
  });

  it('wins over an answer that comes after it', () => {
    const late = settle(asked, { authorized: true }, 101);
    expect([late.card.status, late.answers]).toEqual(['VOIDING', []]);
    expect(settle(asked, { declined: 'no' }, 101).answers).toMatchObject([
      { answer: { refused: 'EXPIRED' } },
    ]);
  });

  it('lets a repeated authorize wait for the same answer', () => {
    const expired = expire(asked, 101);
    const again = authorizeCard(
      expired?.card,
      { ...claim, deadline: 100, customerIsKnown: true },
      waits('authorize-payment', 2),
      200,
    );
    expect(again.answer).toMatchObject({ later: expect.anything() });
    const ended = settle(after(again), { declined: 'no' }, 200);
    expect(ended.answers.map(({ to, answer }) => [to.attempt, answer])).toEqual([
      [1, expect.objectContaining({ refused: 'EXPIRED' })],
      [2, expect.objectContaining({ refused: 'EXPIRED' })],
    ]);
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

describe('what the gateway refuses for good', () => {
  const why = { refused: 'it says no' };
  it('declines what was asked of it', () => {
    expect(settle(asked, why, 0)).toMatchObject({
      card: { status: 'REFUSED', refusal: { reason: 'CARD_DECLINED', detail: 'it says no' } },
      answers: [{ answer: { refused: 'CARD_DECLINED' } }],
    });
    expect(settle(after(voidCard(asked, waits('void-payment'))), why, 0).card.status).toBe('VOIDED');
  });

  it('leaves what was to be captured, voided or refunded as it was, and says so: an operator has to look', () => {
    const refused = { refused: 'NOT_AUTHORIZED', detail: 'the gateway refuses this: it says no' };
    const voiding = after(voidCard(held, waits('void-payment')));
    const refunding = after(refundCard(captured, waits('refund-payment')));
    for (const [card, status] of [
      [capturing, 'HELD'],
      [voiding, 'HELD'],
      [refunding, 'CAPTURED'],
    ] as const) {
      const settled = settle(card, why, 0);
      expect([settled.card.status, settled.answers.map(({ answer }) => answer)]).toEqual([status, [refused]]);
    }
  });

  it('of a capture that a refund waits for lets that void what is held', () => {
    const settled = settle(after(refundCard(capturing, waits('refund-payment'))), why, 0);
    expect(settled).toMatchObject({ card: { status: 'VOIDING', waiting: [waits('refund-payment')] } });
    expect(settled.answers.map(({ to }) => to.command)).toEqual(['capture-payment']);
  });

  it('of the void of what has expired is no answer: nobody but the deadline waits for it', () => {
    const voiding = settle(asked, { authorized: true }, 101).card;
    expect(() => settle(voiding, why, 101)).toThrow('VOIDING');
  });
});

describe('every state', () => {
  const resolving = after(voidCard(asked, waits('void-payment')));
  const expiring = expire(asked, 101)?.card;
  const voiding = after(voidCard(held, waits('void-payment')));
  const refunding = after(refundCard(captured, waits('refund-payment')));
  const states: readonly (readonly [string, Card])[] = [
    ['REQUESTED', requested],
    ['REQUESTED, asked', asked],
    ['RESOLVING', resolving],
    ...(expiring ? [['RESOLVING, expired', expiring] as const] : []),
    ['VOIDING', voiding],
    ['HELD', held],
    ['CAPTURING', capturing],
    ['CAPTURED', captured],
    ['REFUNDING', refunding],
    ['REFUNDED', settle(refunding, { refunded: true }, 0).card],
    ['VOIDED', settle(voiding, { voided: true }, 0).card],
    ['tombstone', cardTombstone],
    ['REFUSED', settle(asked, { declined: 'no' }, 0).card],
  ];
  const brief = ({ card, answer }: CardDecision): string =>
    `${'done' in answer ? 'done' : 'later' in answer ? 'later' : answer.refused}${card ? ` -> ${card.status}` : ''}`;

  // prettier-ignore
  const table: Record<string, readonly [authorize: string, voided: string, capture: string, refund: string]> = {
    'REQUESTED':          ['later -> REQUESTED', 'done -> VOIDED',     'NOT_AUTHORIZED',     'done -> VOIDED'],
    'REQUESTED, asked':   ['later -> REQUESTED', 'later -> RESOLVING', 'NOT_AUTHORIZED',     'later -> RESOLVING'],
    'RESOLVING':          ['RELEASED',           'later -> RESOLVING', 'NOT_AUTHORIZED',     'later -> RESOLVING'],
    'RESOLVING, expired': ['later -> RESOLVING', 'later -> RESOLVING', 'NOT_AUTHORIZED',     'later -> RESOLVING'],
    'VOIDING':            ['RELEASED',           'later -> VOIDING',   'NOT_AUTHORIZED',     'later -> VOIDING'],
    'HELD':               ['done',               'later -> VOIDING',   'later -> CAPTURING', 'later -> VOIDING'],
    'CAPTURING':          ['done',               'ALREADY_CAPTURED',   'later -> CAPTURING', 'later -> CAPTURING'],
    'CAPTURED':           ['done',               'ALREADY_CAPTURED',   'done',               'later -> REFUNDING'],
    'REFUNDING':          ['RELEASED',           'later -> REFUNDING', 'done',               'later -> REFUNDING'],
    'REFUNDED':           ['RELEASED',           'done',               'done',               'done'],
    'VOIDED':             ['RELEASED',           'done',               'NOT_AUTHORIZED',     'done'],
    'tombstone':          ['RELEASED',           'done',               'NOT_AUTHORIZED',     'done'],
    'REFUSED':            ['CARD_DECLINED',      'done',               'NOT_AUTHORIZED',     'done'],
  };

  it.each(states)('%s answers every command', (name, card) => {
    expect([
      brief(authorize(card)),
      brief(voidCard(card, waits('void-payment', 9))),
      brief(captureCard(card, waits('capture-payment', 9))),
      brief(refundCard(card, waits('refund-payment', 9))),
    ]).toEqual(table[name]);
  });

  // What the gateway may say to the call that is owed; anything else it says is not built upon.
  const legal: Record<string, readonly string[]> = {
    'REQUESTED, asked': ['authorized', 'declined', 'refused'],
    REQUESTED: ['authorized', 'declined', 'refused'],
    RESOLVING: ['authorized', 'declined', 'voided', 'refused'],
    'RESOLVING, expired': ['authorized', 'declined', 'voided', 'refused'],
    VOIDING: ['voided', 'refused'],
    CAPTURING: ['captured', 'refused'],
    REFUNDING: ['refunded', 'refused'],
  };
  const answers: readonly GatewayAnswer[] = [
    { authorized: true },
    { declined: 'no' },
    { captured: true },
    { voided: true },
    { refunded: true },
    { refused: 'no' },
  ];

  it.each(states)('%s is settled by what answers its call alone', (name, card) => {
    for (const said of answers) {
      const [what = ''] = Object.keys(said);
      if (legal[name]?.includes(what)) expect(() => settle(card, said, 0)).not.toThrow();
      else expect(() => settle(card, said, 0)).toThrow(`the gateway answered ${what} to a card that is`);
    }
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
  /** The owed call is made: answered; done and the answer lost; not done at all; refused by our own pipeline. */
  | {
      readonly act: 'call';
      readonly ends: 'answered' | 'lost' | 'failed' | 'not sent';
      readonly declines: boolean;
    }
  | { readonly act: 'time passes' };

const anAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constantFrom('authorize', 'void', 'capture', 'refund') }),
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('call' as const),
      ends: fc.constantFrom('answered', 'lost', 'failed', 'not sent'),
      declines: fc.boolean(),
    }),
  },
  fc.record({ act: fc.constant('time passes' as const) }),
);

describe('any history of a card', () => {
  it('ends with our books equal to the gateway’s and every command answered once, whatever was lost on the way', () => {
    fc.assert(
      fc.property(fc.array(anAct, { maxLength: 40 }), (acts) => {
        let ours: Card | undefined;
        let theirs: Theirs = 'NOTHING';
        let now = 0;
        let sent = 0;
        const answered: string[] = [];
        const hear = (answers: readonly LateAnswer[] = []): void => {
          for (const { to, answer } of answers) {
            answered.push(to.messageId);
            // A saga that hears this undoes nothing more: then nothing may be held.
            if (to.command === 'authorize-payment' && 'refused' in answer)
              expect(['NOTHING', 'DECLINED', 'VOIDED', 'REFUNDED']).toContain(theirs);
            if (to.command === 'authorize-payment' && 'done' in answer)
              expect(theirs).toBe('AUTHORIZED' satisfies Theirs);
          }
        };
        const call = (ends: string, declines: boolean): void => {
          if (!ours) return;
          const before = ours;
          const expired = expire(before, now);
          hear(expired?.answers);
          ours = expired?.card ?? askedFor(before);
          if (ours.status !== before.status) return;
          const owed = callOwed(before);
          if (ends === 'not sent' && owed === 'authorize') ours = notAskedAfterAll(ours);
          if (!owed || ends === 'failed' || ends === 'not sent') return;
          if (owed === 'authorize' || owed === 'resolve') {
            if (theirs === 'NOTHING') theirs = declines ? 'DECLINED' : 'AUTHORIZED';
          } else theirs = { capture: 'CAPTURED', void: 'VOIDED', refund: 'REFUNDED' }[owed] as Theirs;
          if (ends !== 'answered') return;
          const settled = settle(ours, answerOf(theirs), now);
          ours = settled.card;
          hear(settled.answers);
        };
        for (const next of acts) {
          if (next.act === 'call') call(next.ends, next.declines);
          else if (next.act === 'time passes') now += 60;
          else {
            const decided = commanded(ours, next.act, now, (sent += 1));
            if (!('later' in decided.answer)) answered.push(String(sent));
            ours = decided.card ?? ours;
            hear(decided.answers);
          }
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
        expect(answered.map(Number).sort((a, b) => a - b)).toEqual(
          Array.from({ length: sent }, (_, nth) => nth + 1),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

function commanded(
  card: Card | undefined,
  act: 'authorize' | 'void' | 'capture' | 'refund',
  now: number,
  number: number,
): CardDecision {
  const waiting: Waiting = {
    command: `${act}-payment`,
    attempt: 1,
    messageId: String(number),
    traceparent: null,
  };
  if (act === 'authorize')
    return authorizeCard(card, { ...claim, deadline: 100, customerIsKnown: true }, waiting, now);
  if (act === 'capture') return captureCard(card, waiting);
  if (!card) return { card: cardTombstone, answer: { done: true } satisfies CardAnswer };
  return act === 'void' ? voidCard(card, waiting) : refundCard(card, waiting);
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
