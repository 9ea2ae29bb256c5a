import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { confirm, type Decision, release, type Reservation, reserve, takeReturn } from './reservation.js';
import { available, checked, deliver, emptyShelf, type Line, type Shelf, shortages } from './stock.js';

const shelf = (sku: string, onHand: number): Shelf => ({ ...emptyShelf(sku), onHand, delivered: onHand });

describe('a shelf', () => {
  it('can promise what is on hand and not reserved', () => {
    expect(available({ sku: 'mug', onHand: 7, reserved: 3, sold: 0, delivered: 7 })).toBe(4);
  });

  it('lacks what is wanted beyond the available, and everything of an unknown SKU', () => {
    const shelves = new Map([['mug', shelf('mug', 3)]]);
    expect(
      shortages(shelves, [
        { sku: 'mug', quantity: 3 },
        { sku: 'cup', quantity: 1 },
      ]),
    ).toEqual([{ sku: 'cup', quantity: 1, available: 0 }]);
    expect(shortages(shelves, [{ sku: 'mug', quantity: 4 }])).toEqual([
      { sku: 'mug', quantity: 4, available: 3 },
    ]);
  });

  it('refuses a delivery that could not be counted exactly', () => {
    expect(deliver(shelf('mug', Number.MAX_SAFE_INTEGER), 1)).toMatchObject({ refused: 'TOO_MUCH' });
  });

  it('is never saved when it does not add up', () => {
    expect(() => checked({ sku: 'mug', onHand: 1, reserved: 2, sold: 0, delivered: 1 })).toThrow(
      /does not add up/,
    );
    expect(() => checked({ sku: 'mug', onHand: 1, reserved: 0, sold: 1, delivered: 1 })).toThrow(
      /does not add up/,
    );
  });
});

type Act = { readonly order: number } & (
  | { readonly act: 'reserve'; readonly lines: readonly Line[]; readonly late: boolean }
  | { readonly act: 'release' | 'confirm' | 'return' }
  | { readonly act: 'deliver'; readonly sku: string; readonly quantity: number }
);

const sku = fc.constantFrom('a', 'b', 'c', 'unknown');
const act: fc.Arbitrary<Act> = fc
  .tuple(
    fc.nat({ max: 4 }),
    fc.oneof(
      fc.record({
        act: fc.constant('reserve' as const),
        lines: fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 6 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
        late: fc.boolean(),
      }),
      fc.record({ act: fc.constantFrom('release' as const, 'confirm' as const, 'return' as const) }),
      fc.record({
        act: fc.constant('deliver' as const),
        sku: fc.constantFrom('a', 'b', 'c'),
        quantity: fc.integer({ min: 1, max: 5 }),
      }),
    ),
  )
  .map(([order, rest]) => ({ order, ...rest }));

describe('any history of stock', () => {
  it('keeps delivered = available + reserved + sold, nothing negative, and reserved and sold equal to what the reservations say', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const shelves = new Map(['a', 'b', 'c'].map((name) => [name, shelf(name, 5)] as const));
        const reservations = new Map<number, Reservation>();
        for (const next of acts) {
          if (next.act === 'deliver') {
            const delivered = deliver(shelves.get(next.sku) ?? emptyShelf(next.sku), next.quantity);
            if (!('refused' in delivered)) shelves.set(next.sku, delivered);
            continue;
          }
          const decision = run(next, shelves, reservations.get(next.order));
          if (decision.reservation) reservations.set(next.order, decision.reservation);
          for (const changed of decision.shelves ?? []) shelves.set(changed.sku, changed);
        }
        for (const one of shelves.values()) {
          expect(available(one)).toBeGreaterThanOrEqual(0);
          expect(one.delivered).toBe(available(one) + one.reserved + one.sold);
          const held = (status: string): number =>
            [...reservations.values()]
              .filter((reservation) => reservation.status === status)
              .flatMap((reservation) => reservation.lines)
              .filter((line) => line.sku === one.sku)
              .reduce((sum, line) => sum + line.quantity, 0);
          expect(one.reserved).toBe(held('RESERVED'));
          expect(one.sold).toBe(held('CONFIRMED'));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('answers a repeated command as it answered the first, and changes nothing by it', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const shelves = new Map(['a', 'b', 'c'].map((name) => [name, shelf(name, 5)] as const));
        const reservations = new Map<number, Reservation>();
        for (const next of acts) {
          if (next.act === 'deliver') continue;
          const first = run(next, shelves, reservations.get(next.order));
          if (first.reservation) reservations.set(next.order, first.reservation);
          for (const changed of first.shelves ?? []) shelves.set(changed.sku, changed);
          const second = run(next, shelves, reservations.get(next.order));
          expect(answerOf(second)).toEqual(answerOf(first));
          expect(second.reservation).toBeUndefined();
          expect(second.shelves).toBeUndefined();
        }
      }),
    );
  });
});

function run(
  next: Exclude<Act, { act: 'deliver' }>,
  shelves: ReadonlyMap<string, Shelf>,
  held: Reservation | undefined,
): Decision {
  switch (next.act) {
    case 'reserve':
      return reserve(shelves, held, { lines: next.lines, deadline: next.late ? 10 : 30 }, 20);
    case 'release':
      return release(shelves, held);
    case 'confirm':
      return confirm(shelves, held);
    case 'return':
      return takeReturn(shelves, held);
  }
}

function answerOf(decision: Decision): unknown {
  return 'refused' in decision ? { refused: decision.refused, detail: decision.detail } : 'done';
}
