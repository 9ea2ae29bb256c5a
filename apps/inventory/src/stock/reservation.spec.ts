import { describe, expect, it } from '@jest/globals';
import { confirm, release, type Reservation, reserve, takeReturn } from './reservation.js';
import { emptyShelf } from './stock.js';

const lines = [{ sku: 'mug', quantity: 2 }];
const mugs = (onHand: number, reserved = 0, sold = 0) =>
  new Map([['mug', { ...emptyShelf('mug'), onHand, reserved, sold, delivered: onHand + sold }]]);
const inTime = { lines, deadline: 100 };

const reserved: Reservation = { status: 'RESERVED', lines };
const confirmed: Reservation = { status: 'CONFIRMED', lines };
const releasedOne: Reservation = { status: 'RELEASED', lines };
const returned: Reservation = { status: 'RETURNED', lines };
const tombstone: Reservation = { status: 'RELEASED', lines: [] };
const soldOut: Reservation = {
  status: 'REFUSED',
  lines,
  reason: 'OUT_OF_STOCK',
  detail: 'mug: 2 wanted, 0 available',
};

describe('reserve', () => {
  it('puts the lines aside', () => {
    expect(reserve(mugs(2), undefined, inTime, 100)).toEqual({
      done: true,
      reservation: reserved,
      shelves: [{ sku: 'mug', onHand: 2, reserved: 2, sold: 0, delivered: 2 }],
    });
  });

  it('takes nothing when one line is short, and remembers the refusal', () => {
    const both = { lines: [...lines, { sku: 'teapot', quantity: 1 }], deadline: null };
    const decision = reserve(mugs(2), undefined, both, 0);
    expect(decision).toMatchObject({ refused: 'OUT_OF_STOCK', detail: 'teapot: 1 wanted, 0 available' });
    expect(decision.shelves).toBeUndefined();
    expect(decision.reservation).toMatchObject({ status: 'REFUSED', reason: 'OUT_OF_STOCK' });
  });

  it('is refused again after OUT_OF_STOCK though stock has arrived', () => {
    expect(reserve(mugs(100), soldOut, inTime, 0)).toEqual({
      refused: 'OUT_OF_STOCK',
      detail: 'mug: 2 wanted, 0 available',
    });
  });

  it('is refused and leaves a refusal behind when it arrives after its deadline', () => {
    const decision = reserve(mugs(2), undefined, inTime, 101);
    expect(decision).toMatchObject({
      refused: 'EXPIRED',
      reservation: { status: 'REFUSED', reason: 'EXPIRED' },
    });
    expect(decision.shelves).toBeUndefined();
  });

  it('is done again when it is repeated after its deadline, because the first one was', () => {
    expect(reserve(mugs(2, 2), reserved, inTime, 5000)).toEqual({ done: true });
    expect(reserve(mugs(0, 0, 2), confirmed, inTime, 5000)).toEqual({ done: true });
  });

  it.each([tombstone, releasedOne, returned])('is refused by %j, which came before', (before) => {
    expect(reserve(mugs(2), before, inTime, 0)).toMatchObject({ refused: 'RELEASED' });
  });
});

describe('release', () => {
  it('leaves a tombstone when it overtakes its reserve', () => {
    expect(release(mugs(2), undefined)).toEqual({ done: true, reservation: tombstone });
  });
  it('puts the lines back', () => {
    expect(release(mugs(2, 2), reserved)).toMatchObject({
      reservation: releasedOne,
      shelves: [{ reserved: 0, onHand: 2 }],
    });
  });
  it.each([tombstone, releasedOne, returned, soldOut])('is done and changes nothing after %j', (before) => {
    expect(release(mugs(2), before)).toEqual({ done: true });
  });
  it('is refused after the sale', () => {
    expect(release(mugs(0, 0, 2), confirmed)).toMatchObject({ refused: 'ALREADY_CONFIRMED' });
  });
});

describe('confirm', () => {
  it('sells what was reserved', () => {
    expect(confirm(mugs(2, 2), reserved)).toEqual({
      done: true,
      reservation: confirmed,
      shelves: [{ sku: 'mug', onHand: 0, reserved: 0, sold: 2, delivered: 2 }],
    });
  });
  it.each([confirmed, returned])('is done and changes nothing after %j', (before) => {
    expect(confirm(mugs(2), before)).toEqual({ done: true });
  });
  it.each([undefined, tombstone, releasedOne, soldOut])('is refused without a reservation: %j', (before) => {
    expect(confirm(mugs(2), before)).toMatchObject({ refused: 'NOT_RESERVED' });
  });
});

describe('return', () => {
  it('moves sold back to on hand', () => {
    expect(takeReturn(mugs(0, 0, 2), confirmed)).toEqual({
      done: true,
      reservation: returned,
      shelves: [{ sku: 'mug', onHand: 2, reserved: 0, sold: 0, delivered: 2 }],
    });
  });
  it('releases what is only reserved', () => {
    expect(takeReturn(mugs(2, 2), reserved)).toMatchObject({
      done: true,
      reservation: releasedOne,
      shelves: [{ reserved: 0 }],
    });
  });
  it('leaves a tombstone when there is nothing yet', () => {
    expect(takeReturn(mugs(2), undefined)).toEqual({ done: true, reservation: tombstone });
  });
  it.each([tombstone, releasedOne, returned, soldOut])('is done and changes nothing after %j', (before) => {
    expect(takeReturn(mugs(2), before)).toEqual({ done: true });
  });
});
