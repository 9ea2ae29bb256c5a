import { captureOf, type Movement, refundOf } from './ledger.js';
import { available, charge, giveBack, hold, letGo, type Wallet } from './wallet.js';

export type RefusedWhy = 'INSUFFICIENT_FUNDS' | 'UNKNOWN_CUSTOMER' | 'EXPIRED';
export type Method = 'wallet';

interface Claim {
  readonly customerId: string;
  readonly amount: number;
  readonly method: Method;
}

/**
 * What payment holds for one order. Voided without a claim is a tombstone: the void overtook its authorize, and the
 * late one finds it here. A refusal is remembered, so that a repeated authorize gets the same answer although money
 * may have arrived since.
 */
export type Authorization =
  | { readonly status: 'HELD' | 'CAPTURED' | 'REFUNDED'; readonly claim: Claim }
  | { readonly status: 'VOIDED'; readonly claim: Claim | null }
  | {
      readonly status: 'REFUSED';
      readonly claim: Claim;
      readonly reason: RefusedWhy;
      readonly detail: string;
    };

export type Refusal = RefusedWhy | 'RELEASED' | 'NOT_AUTHORIZED' | 'ALREADY_CAPTURED';

/** What a decision changes; what it does not name stays as it is. A refusal may change something too: it is remembered. */
export interface Changes {
  readonly authorization?: Authorization;
  readonly wallet?: Wallet;
  readonly movement?: Movement;
}
export type Decision = Changes &
  ({ readonly done: true } | { readonly refused: Refusal; readonly detail: string });

const tombstone: Authorization = { status: 'VOIDED', claim: null };

/** Holds the amount, or refuses for good. `deadline` and `now` are milliseconds by the database's clock. */
export function authorize(
  wallet: Wallet | undefined,
  authorization: Authorization | undefined,
  command: Claim & { readonly deadline: number | null },
  now: number,
): Decision {
  switch (authorization?.status) {
    case undefined:
      break;
    case 'HELD':
    case 'CAPTURED':
      return { done: true };
    case 'REFUSED':
      return { refused: authorization.reason, detail: authorization.detail };
    case 'VOIDED':
    case 'REFUNDED':
      return { refused: 'RELEASED', detail: 'the authorization was voided before this arrived' };
  }
  const { customerId, amount, method, deadline } = command;
  const claim = { customerId, amount, method };
  if (deadline !== null && deadline < now) {
    return refusal(claim, 'EXPIRED', `arrived ${now - deadline} ms after its deadline`);
  }
  if (!wallet) return refusal(claim, 'UNKNOWN_CUSTOMER', `${customerId} has no wallet`);
  if (available(wallet) < amount) {
    return refusal(claim, 'INSUFFICIENT_FUNDS', `${amount} wanted, ${available(wallet)} available`);
  }
  return { done: true, authorization: { status: 'HELD', claim }, wallet: hold(wallet, amount) };
}

/** Undoes the hold, and makes sure that there will be none. */
export function voidHold(wallet: Wallet | undefined, authorization: Authorization | undefined): Decision {
  switch (authorization?.status) {
    case undefined:
      return { done: true, authorization: tombstone };
    case 'HELD':
      return {
        done: true,
        authorization: { status: 'VOIDED', claim: authorization.claim },
        wallet: letGo(owned(wallet, authorization.claim), authorization.claim.amount),
      };
    case 'CAPTURED':
      return { refused: 'ALREADY_CAPTURED', detail: 'the money is charged: only a refund can undo that' };
    case 'VOIDED':
    case 'REFUNDED':
    case 'REFUSED':
      return { done: true };
  }
}

/** The held amount is charged. */
export function capture(
  wallet: Wallet | undefined,
  authorization: Authorization | undefined,
  orderId: string,
): Decision {
  switch (authorization?.status) {
    case 'HELD': {
      const { claim } = authorization;
      return {
        done: true,
        authorization: { status: 'CAPTURED', claim },
        wallet: charge(owned(wallet, claim), claim.amount),
        movement: captureOf(claim.customerId, claim.amount, orderId),
      };
    }
    case 'CAPTURED':
    case 'REFUNDED':
      return { done: true };
    case undefined:
    case 'VOIDED':
    case 'REFUSED':
      return {
        refused: 'NOT_AUTHORIZED',
        detail: `nothing is held (${authorization?.status ?? 'no authorization'})`,
      };
  }
}

/** Undoes the charge; what is only held is voided. It never fails, and nothing can be held after it. */
export function refund(
  wallet: Wallet | undefined,
  authorization: Authorization | undefined,
  orderId: string,
): Decision {
  switch (authorization?.status) {
    case 'CAPTURED': {
      const { claim } = authorization;
      return {
        done: true,
        authorization: { status: 'REFUNDED', claim },
        wallet: giveBack(owned(wallet, claim), claim.amount),
        movement: refundOf(claim.customerId, claim.amount, orderId),
      };
    }
    case undefined:
    case 'HELD':
    case 'VOIDED':
    case 'REFUNDED':
    case 'REFUSED':
      return voidHold(wallet, authorization);
  }
}

function refusal(claim: Claim, reason: RefusedWhy, detail: string): Decision {
  return { refused: reason, detail, authorization: { status: 'REFUSED', claim, reason, detail } };
}

function owned(wallet: Wallet | undefined, claim: Claim): Wallet {
  if (wallet?.customerId !== claim.customerId)
    throw new Error(`the wallet of ${claim.customerId} was not loaded`);
  return wallet;
}
