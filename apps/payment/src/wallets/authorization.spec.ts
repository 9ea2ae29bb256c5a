import { describe, expect, it } from '@jest/globals';
import { type Authorization, authorize, capture, refund, voidHold } from './authorization.js';
import { emptyWallet, type Wallet } from './wallet.js';

const claim = { customerId: 'ann', amount: 30, method: 'wallet' as const };
const ann = (over: Partial<Wallet> = {}): Wallet => ({
  ...emptyWallet('ann'),
  balance: 100,
  deposited: 100,
  ...over,
});
const inTime = { ...claim, deadline: 100 };

const held: Authorization = { status: 'HELD', claim };
const captured: Authorization = { status: 'CAPTURED', claim };
const voided: Authorization = { status: 'VOIDED', claim };
const refunded: Authorization = { status: 'REFUNDED', claim };
const tombstone: Authorization = { status: 'VOIDED', claim: null };
const poor: Authorization = {
  status: 'REFUSED',
  claim,
  reason: 'INSUFFICIENT_FUNDS',
  detail: '30 wanted, 0 available',
};

describe('authorize', () => {
  it('holds the amount', () => {
    expect(authorize(ann(), undefined, inTime, 100)).toEqual({
      done: true,
      authorization: held,
      wallet: ann({ held: 30 }),
    });
  });
  it('is refused when less is available, counting what other orders hold', () => {
    const decision = authorize(ann({ held: 71 }), undefined, inTime, 0);
    expect(decision).toMatchObject({ refused: 'INSUFFICIENT_FUNDS', detail: '30 wanted, 29 available' });
    expect(decision.wallet).toBeUndefined();
    expect(decision.authorization).toMatchObject({ status: 'REFUSED', reason: 'INSUFFICIENT_FUNDS' });
  });
  it('is refused again after INSUFFICIENT_FUNDS though money has arrived', () => {
    expect(authorize(ann(), poor, inTime, 0)).toEqual({
      refused: 'INSUFFICIENT_FUNDS',
      detail: '30 wanted, 0 available',
    });
  });
  it('is refused for a customer without a wallet', () => {
    expect(authorize(undefined, undefined, inTime, 0)).toMatchObject({ refused: 'UNKNOWN_CUSTOMER' });
  });
  it('is refused when it arrives after its deadline', () => {
    expect(authorize(ann(), undefined, inTime, 101)).toMatchObject({
      refused: 'EXPIRED',
      authorization: { status: 'REFUSED', reason: 'EXPIRED' },
    });
  });
  it('is done again when it is repeated after its deadline, because the first one was', () => {
    expect(authorize(ann({ held: 30 }), held, inTime, 5000)).toEqual({ done: true });
    expect(authorize(ann(), captured, inTime, 5000)).toEqual({ done: true });
  });
  it.each([tombstone, voided, refunded])('is refused by %j, which came before', (before) => {
    expect(authorize(ann(), before, inTime, 0)).toMatchObject({ refused: 'RELEASED' });
  });
});

describe('void', () => {
  it('leaves a tombstone when it overtakes its authorize', () => {
    expect(voidHold(undefined, undefined)).toEqual({ done: true, authorization: tombstone });
  });
  it('lets go of what is held', () => {
    expect(voidHold(ann({ held: 30 }), held)).toEqual({ done: true, authorization: voided, wallet: ann() });
  });
  it.each([tombstone, voided, refunded, poor])('is done and changes nothing after %j', (before) => {
    expect(voidHold(ann(), before)).toEqual({ done: true });
  });
  it('is refused after the charge', () => {
    expect(voidHold(ann(), captured)).toMatchObject({ refused: 'ALREADY_CAPTURED' });
  });
});

describe('capture', () => {
  it('charges what is held', () => {
    expect(capture(ann({ held: 30 }), held, 'o1')).toEqual({
      done: true,
      authorization: captured,
      wallet: ann({ balance: 70, captured: 30 }),
      movement: { kind: 'CAPTURE', from: 'wallet:ann', to: 'sales', amount: 30, orderId: 'o1' },
    });
  });
  it.each([captured, refunded])('is done and moves no money after %j', (before) => {
    expect(capture(ann(), before, 'o1')).toEqual({ done: true });
  });
  it.each([undefined, tombstone, voided, poor])('is refused without a hold: %j', (before) => {
    expect(capture(ann(), before, 'o1')).toMatchObject({ refused: 'NOT_AUTHORIZED' });
  });
});

describe('refund', () => {
  it('gives back what was charged', () => {
    expect(refund(ann({ balance: 70, captured: 30 }), captured, 'o1')).toEqual({
      done: true,
      authorization: refunded,
      wallet: ann({ captured: 30, refunded: 30 }),
      movement: { kind: 'REFUND', from: 'sales', to: 'wallet:ann', amount: 30, orderId: 'o1' },
    });
  });
  it('voids what is only held, and moves no money', () => {
    expect(refund(ann({ held: 30 }), held, 'o1')).toEqual({
      done: true,
      authorization: voided,
      wallet: ann(),
    });
  });
  it('leaves a tombstone when there is nothing yet', () => {
    expect(refund(undefined, undefined, 'o1')).toEqual({ done: true, authorization: tombstone });
  });
  it.each([tombstone, voided, refunded, poor])('is done and changes nothing after %j', (before) => {
    expect(refund(ann(), before, 'o1')).toEqual({ done: true });
  });
});
