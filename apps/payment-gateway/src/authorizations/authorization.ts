import type { AuthorizeCard, CardAuthorization } from '@faultline/contracts';

/** What the gateway holds of a card for a merchant, from the authorization to the refund. */
export type Authorization = CardAuthorization & { readonly cardToken: string };

/** A definite no: it had no effect. */
export interface Wrong {
  readonly wrong: 'UNKNOWN_REFERENCE' | 'REFERENCE_TAKEN' | 'WRONG_STATUS';
  readonly detail: string;
}
export type Decision = Authorization | Wrong;

export type Verb = 'capture' | 'void' | 'refund';

/** What each verb makes of a status; what is not here it cannot do. Done before is done again: it changes nothing. */
const transitions: Record<Verb, Partial<Record<Authorization['status'], Authorization['status']>>> = {
  capture: { AUTHORIZED: 'CAPTURED', CAPTURED: 'CAPTURED' },
  void: { AUTHORIZED: 'VOIDED', VOIDED: 'VOIDED' },
  refund: { CAPTURED: 'REFUNDED', REFUNDED: 'REFUNDED' },
};

/** Cards that are refused, and why. */
const declines: ReadonlyMap<string, string> = new Map([['card-declined', 'insufficient_funds']]);
const known = new Set(['card-ok', 'card-declined', 'card-slow', 'card-timeout', 'card-flaky']);

/** A decline is an authorization, too: it is remembered, and answered like any other. `now` is an ISO instant. */
export function authorize(before: Authorization | undefined, request: AuthorizeCard, now: string): Decision {
  const { reference, amount, currency, cardToken } = request;
  if (before) {
    return {
      wrong: 'REFERENCE_TAKEN',
      detail: `there is an authorization for ${reference} under another idempotency key`,
    };
  }
  const declineReason = known.has(cardToken) ? (declines.get(cardToken) ?? null) : 'unknown_card';
  const status = declineReason === null ? 'AUTHORIZED' : 'DECLINED';
  return { reference, status, amount, currency, declineReason, createdAt: now, cardToken };
}

export function change(before: Authorization | undefined, verb: Verb, reference: string): Decision {
  if (!before) return { wrong: 'UNKNOWN_REFERENCE', detail: `there is no authorization for ${reference}` };
  const status = transitions[verb][before.status];
  if (!status) return { wrong: 'WRONG_STATUS', detail: `a ${verb} of what is ${before.status}` };
  return status === before.status ? before : { ...before, status };
}

/** As the outside sees it: never with the card. */
export function viewOf(authorization: Authorization): CardAuthorization {
  const { reference, status, amount, currency, declineReason, createdAt } = authorization;
  return { reference, status, amount, currency, declineReason, createdAt };
}
