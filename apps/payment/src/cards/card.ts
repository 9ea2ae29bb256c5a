import type { CommandName } from '@faultline/contracts';

/** A command whose answer has to wait for the gateway's. */
export interface Waiting {
  readonly command: CommandName;
  readonly attempt: number;
  readonly messageId: string;
  readonly traceparent: string | null;
}

export interface CardClaim {
  readonly customerId: string;
  /** Cents. */
  readonly amount: number;
  readonly cardToken: string;
}

export interface CardRefusal {
  readonly reason: 'CARD_DECLINED' | 'UNKNOWN_CUSTOMER' | 'EXPIRED';
  readonly detail: string;
}

/**
 * What payment and the gateway hold of a card for one order. In the states that end in -ING, and in REQUESTED, a call to
 * the gateway is owed; in the others nothing is.
 */
export type Card =
  /** An authorization is owed. `asked` before the first call: from then on the gateway may have it. */
  | {
      readonly status: 'REQUESTED';
      readonly claim: CardClaim;
      /** Milliseconds since the epoch, by the database's clock; null when there is none. */
      readonly deadline: number | null;
      readonly asked: boolean;
      readonly waiting: readonly Waiting[];
    }
  /** It is not wanted any more, but the gateway was asked: what it holds has to be found out, and then voided. */
  | Undoing<'RESOLVING'>
  | Undoing<'VOIDING'>
  | { readonly status: 'HELD'; readonly claim: CardClaim }
  | {
      readonly status: 'CAPTURING' | 'REFUNDING';
      readonly claim: CardClaim;
      readonly waiting: readonly Waiting[];
    }
  | { readonly status: 'CAPTURED' | 'REFUNDED'; readonly claim: CardClaim }
  /** Without a claim it is a tombstone: the void overtook its authorize. */
  | { readonly status: 'VOIDED'; readonly claim: CardClaim | null }
  | { readonly status: 'REFUSED'; readonly claim: CardClaim; readonly refusal: CardRefusal };

interface Undoing<Status extends string> {
  readonly status: Status;
  readonly claim: CardClaim;
  readonly waiting: readonly Waiting[];
  /** What its authorize is answered in the end because it expired; null when a void asked for this. */
  readonly refusal: CardRefusal | null;
}

/** A card for which a call is owed, and who waits for that. */
export type Owing = Extract<Card, { readonly waiting: readonly Waiting[] }>;

/** What a command is answered. */
export type Said =
  | { readonly done: true }
  | {
      readonly refused: CardRefusal['reason'] | 'RELEASED' | 'NOT_AUTHORIZED' | 'ALREADY_CAPTURED';
      readonly detail: string;
    };

/** The same, or that it has to wait. */
export type CardAnswer = Said | { readonly later: string };

export interface LateAnswer {
  readonly to: Waiting;
  readonly answer: Said;
}

export interface CardDecision {
  /** Absent when it stays as it is. */
  readonly card?: Card;
  readonly answer: CardAnswer;
  /** Those who waited, and need not any more. */
  readonly answers?: readonly LateAnswer[];
}

/**
 * What the gateway has said for certain. Anything else is no answer, and decides nothing. Refused: it will not do this,
 * however often it is asked.
 */
export type GatewayAnswer =
  | { readonly refused: string }
  | { readonly authorized: true }
  | { readonly declined: string }
  | { readonly captured: true }
  | { readonly voided: true }
  | { readonly refunded: true };

/** What follows from the gateway's answer, or from the deadline: the card as it is now, and who is answered. */
export interface CardSettled {
  readonly card: Card;
  readonly answers: readonly LateAnswer[];
}

export type Call = 'authorize' | 'resolve' | 'capture' | 'void' | 'refund';

const done = { done: true } as const;
const later = { later: 'the gateway is asked' } as const;
const released: Said = {
  refused: 'RELEASED',
  detail: 'the authorization was voided before this arrived',
};
const refusedAs = ({ reason, detail }: CardRefusal): Said => ({ refused: reason, detail });

/** Remembers a void for whatever comes after it, so that an authorize by card that it overtook finds it. */
export const cardTombstone: Card = { status: 'VOIDED', claim: null };

/** The call that is owed to the gateway; null when none is. */
export function callOwed(card: Owing): Call;
export function callOwed(card: Card): Call | null;
export function callOwed(card: Card): Call | null {
  switch (card.status) {
    case 'REQUESTED':
      return card.asked ? 'resolve' : 'authorize';
    case 'RESOLVING':
      return 'resolve';
    case 'VOIDING':
      return 'void';
    case 'CAPTURING':
      return 'capture';
    case 'REFUNDING':
      return 'refund';
    case 'HELD':
    case 'CAPTURED':
    case 'REFUNDED':
    case 'VOIDED':
    case 'REFUSED':
      return null;
  }
}

/** `deadline` and `now` are milliseconds by the database's clock. */
export function authorizeCard(
  card: Card | undefined,
  command: CardClaim & { readonly deadline: number | null; readonly customerIsKnown: boolean },
  waiting: Waiting,
  now: number,
): CardDecision {
  switch (card?.status) {
    case undefined:
      break;
    case 'REQUESTED':
      return { card: { ...card, waiting: [...card.waiting, waiting] }, answer: later };
    case 'HELD':
    case 'CAPTURING':
    case 'CAPTURED':
      return { answer: done };
    case 'RESOLVING':
    case 'VOIDING':
      // That it expired is said when nothing is held any more: whoever hears it may build on that.
      return card.refusal
        ? { card: { ...card, waiting: [...card.waiting, waiting] }, answer: later }
        : { answer: released };
    case 'REFUSED':
      return { answer: refusedAs(card.refusal) };
    case 'VOIDED':
    case 'REFUNDING':
    case 'REFUNDED':
      return { answer: released };
  }
  const { customerId, amount, cardToken, deadline, customerIsKnown } = command;
  const claim = { customerId, amount, cardToken };
  const refusal: CardRefusal | undefined =
    deadline !== null && deadline < now
      ? { reason: 'EXPIRED', detail: `arrived ${now - deadline} ms after its deadline` }
      : customerIsKnown
        ? undefined
        : { reason: 'UNKNOWN_CUSTOMER', detail: `${customerId} has no wallet` };
  if (refusal) return { card: { status: 'REFUSED', claim, refusal }, answer: refusedAs(refusal) };
  return { card: { status: 'REQUESTED', claim, deadline, asked: false, waiting: [waiting] }, answer: later };
}

/** Nothing is held afterwards, and never will be. A gateway that was asked is never taken at its silence. */
export function voidCard(card: Card, waiting: Waiting): CardDecision {
  switch (card.status) {
    case 'REQUESTED': {
      const { claim } = card;
      return card.asked
        ? {
            card: { status: 'RESOLVING', claim, refusal: null, waiting: [...card.waiting, waiting] },
            answer: later,
          }
        : { card: { status: 'VOIDED', claim }, answer: done, answers: whenUndone(card.waiting, null) };
    }
    case 'HELD':
      return {
        card: { status: 'VOIDING', claim: card.claim, refusal: null, waiting: [waiting] },
        answer: later,
      };
    case 'RESOLVING':
    case 'VOIDING':
    case 'REFUNDING':
      return { card: { ...card, waiting: [...card.waiting, waiting] }, answer: later };
    case 'CAPTURING':
    case 'CAPTURED':
      return {
        answer: { refused: 'ALREADY_CAPTURED', detail: 'the money is charged: only a refund can undo that' },
      };
    case 'VOIDED':
    case 'REFUSED':
    case 'REFUNDED':
      return { answer: done };
  }
}

export function captureCard(card: Card | undefined, waiting: Waiting): CardDecision {
  switch (card?.status) {
    case 'HELD':
      return { card: { status: 'CAPTURING', claim: card.claim, waiting: [waiting] }, answer: later };
    case 'CAPTURING':
      return { card: { ...card, waiting: [...card.waiting, waiting] }, answer: later };
    case 'CAPTURED':
    case 'REFUNDING':
    case 'REFUNDED':
      return { answer: done };
    case undefined:
    case 'REQUESTED':
    case 'RESOLVING':
    case 'VOIDING':
    case 'VOIDED':
    case 'REFUSED':
      return {
        answer: {
          refused: 'NOT_AUTHORIZED',
          detail: `nothing is held (${card?.status ?? 'no authorization'})`,
        },
      };
  }
}

/** Undoes the charge; what is only held is voided. A capture that is under way is waited for, and then undone. */
export function refundCard(card: Card, waiting: Waiting): CardDecision {
  switch (card.status) {
    case 'CAPTURED':
      return { card: { status: 'REFUNDING', claim: card.claim, waiting: [waiting] }, answer: later };
    case 'CAPTURING':
      return { card: { ...card, waiting: [...card.waiting, waiting] }, answer: later };
    default:
      return voidCard(card, waiting);
  }
}

/** The gateway is asked from now on: whoever undoes it has to find out first what became of that. */
export function askedFor(card: Card): Card {
  return card.status === 'REQUESTED' ? { ...card, asked: true } : card;
}

/** A call that was never sent takes back the mark that was put there for it: nobody has to find out anything. */
export function notAskedAfterAll(card: Card): Card {
  return card.status === 'REQUESTED' ? { ...card, asked: false } : card;
}

/**
 * What the deadline makes of a card whose authorization has not been answered; undefined when it is not over. Where the
 * gateway was asked it is refused when what the gateway holds is found and voided, and not before.
 */
export function expire(card: Card, now: number): CardSettled | undefined {
  if (card.status !== 'REQUESTED' || card.deadline === null || card.deadline >= now) return undefined;
  const { claim, waiting, asked } = card;
  const refusal: CardRefusal = {
    reason: 'EXPIRED',
    detail: 'the gateway did not answer before the deadline',
  };
  return asked
    ? { card: { status: 'RESOLVING', claim, refusal, waiting }, answers: [] }
    : { card: { status: 'REFUSED', claim, refusal }, answers: whenUndone(waiting, refusal) };
}

/** Throws when the gateway says what was never asked: then nothing may be built on it. */
export function settle(card: Card, said: GatewayAnswer, now: number): CardSettled {
  const expired = expire(card, now);
  if (expired) return expired.card.status === 'RESOLVING' ? settle(expired.card, said, now) : expired;
  switch (card.status) {
    case 'REQUESTED': {
      if ('authorized' in said) return settledAs({ status: 'HELD', claim: card.claim }, card.waiting);
      const why = 'declined' in said ? said.declined : 'refused' in said ? said.refused : null;
      if (why === null) break;
      const refusal: CardRefusal = { reason: 'CARD_DECLINED', detail: why };
      const { claim, waiting } = card;
      return { card: { status: 'REFUSED', claim, refusal }, answers: whenUndone(waiting, refusal) };
    }
    case 'RESOLVING':
      if ('authorized' in said) return { card: { ...card, status: 'VOIDING' }, answers: [] };
      if ('declined' in said || 'voided' in said || 'refused' in said) return undone(card);
      break;
    case 'VOIDING':
      if ('voided' in said) return undone(card);
      // Whoever waits for the void learns that it cannot be. Where only the deadline wanted it nobody does: it is asked again.
      if ('refused' in said && card.waiting.some(({ command }) => command !== 'authorize-payment'))
        return stuck(card, { status: 'HELD', claim: card.claim }, said.refused);
      break;
    case 'CAPTURING':
      if ('captured' in said) {
        const [captures, refunds] = apart(card.waiting);
        const { claim } = card;
        return settledAs(
          refunds.length > 0
            ? { status: 'REFUNDING', claim, waiting: refunds }
            : { status: 'CAPTURED', claim },
          captures,
        );
      }
      if ('refused' in said) {
        const [captures, refunds] = apart(card.waiting);
        const { claim } = card;
        return stuck(
          { waiting: captures, refusal: null },
          refunds.length > 0
            ? { status: 'VOIDING', claim, refusal: null, waiting: refunds }
            : { status: 'HELD', claim },
          said.refused,
        );
      }
      break;
    case 'REFUNDING':
      if ('refunded' in said) return settledAs({ status: 'REFUNDED', claim: card.claim }, card.waiting);
      if ('refused' in said)
        return stuck(
          { waiting: card.waiting, refusal: null },
          { status: 'CAPTURED', claim: card.claim },
          said.refused,
        );
      break;
    default:
      break;
  }
  throw new Error(`the gateway answered ${Object.keys(said).join()} to a card that is ${card.status}`);
}

function undone({ claim, refusal, waiting }: Undoing<string>): CardSettled {
  return {
    card: refusal ? { status: 'REFUSED', claim, refusal } : { status: 'VOIDED', claim },
    answers: whenUndone(waiting, refusal),
  };
}

/** Who wanted it undone is content, and who wanted it authorized is told why it will not be. */
function whenUndone(waiting: readonly Waiting[], refusal: CardRefusal | null): LateAnswer[] {
  const no = refusal ? refusedAs(refusal) : released;
  return waiting.map((to) => ({ to, answer: to.command === 'authorize-payment' ? no : done }));
}

/** A refusal where none is legal: the card is what it was before, and the saga that hears it waits for an operator. */
function stuck(
  { waiting, refusal }: Pick<Undoing<string>, 'waiting' | 'refusal'>,
  card: Card,
  why: string,
): CardSettled {
  const no = refusal ? refusedAs(refusal) : released;
  const answers = waiting.map((to): LateAnswer => ({
    to,
    answer:
      to.command === 'authorize-payment'
        ? no
        : { refused: 'NOT_AUTHORIZED', detail: `the gateway refuses this: ${why}` },
  }));
  return { card, answers };
}

/** A refund that waits for a capture, and the captures. */
function apart(waiting: readonly Waiting[]): readonly [captures: Waiting[], refunds: Waiting[]] {
  const isRefund = ({ command }: Waiting): boolean => command === 'refund-payment';
  return [waiting.filter((each) => !isRefund(each)), waiting.filter(isRefund)];
}

function settledAs(card: Card, waiting: readonly Waiting[]): CardSettled {
  return { card, answers: waiting.map((to) => ({ to, answer: done })) };
}
