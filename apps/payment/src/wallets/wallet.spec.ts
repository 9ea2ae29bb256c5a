import { describe, expect, it } from '@jest/globals';
import { available, charge, checked, deposit, emptyWallet, giveBack, hold, letGo } from './wallet.js';

const rich = { ...emptyWallet('ann'), balance: 100, deposited: 100 };

describe('a wallet', () => {
  it('has available what is in it and not held', () => {
    expect(available(hold(rich, 30))).toBe(70);
  });
  it('keeps deposited = balance + captured - refunded through hold, charge and refund', () => {
    const charged = charge(hold(rich, 30), 30);
    expect(charged).toEqual({
      customerId: 'ann',
      balance: 70,
      held: 0,
      deposited: 100,
      captured: 30,
      refunded: 0,
    });
    expect(giveBack(charged, 30)).toEqual({
      customerId: 'ann',
      balance: 100,
      held: 0,
      deposited: 100,
      captured: 30,
      refunded: 30,
    });
  });
  it('is as before when a hold is let go', () => {
    expect(letGo(hold(rich, 30), 30)).toEqual(rich);
  });
  it('refuses a deposit that could not be counted exactly', () => {
    const full = {
      ...emptyWallet('ann'),
      balance: Number.MAX_SAFE_INTEGER,
      deposited: Number.MAX_SAFE_INTEGER,
    };
    expect(deposit(full, 1)).toMatchObject({ refused: 'TOO_MUCH' });
  });
  it('is never saved when it does not add up', () => {
    expect(() => hold(rich, 101)).toThrow(/does not add up/);
    expect(() => letGo(rich, 1)).toThrow(/does not add up/);
    expect(() => checked({ ...rich, balance: 99 })).toThrow(/does not add up/);
  });
});
