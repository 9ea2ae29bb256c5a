import { expect, it } from '@jest/globals';
import { type Check, findingsOf, verdictsOf } from './verdict.js';

it('an invariant holds when no check found a row, and says what was looked at', () => {
  const checks: Check[] = [
    { invariant: 'K', looked: { deliveries: 3 }, rows: [] },
    { invariant: 'M', looked: { wallets: 2 }, rows: [] },
    { invariant: 'M', looked: { wallets: 3, entries: 4 }, also: { cards: 0 }, rows: [] },
  ];
  expect(verdictsOf(checks)).toEqual([
    { invariant: 'M', holds: true, looked: '5 wallets, 4 entries, 0 cards', rows: [] },
    { invariant: 'K', holds: true, looked: '3 deliveries', rows: [] },
  ]);
});

it('one row of one check breaks it', () => {
  const [verdict] = verdictsOf([
    { invariant: 'M', looked: { wallets: 2 }, rows: [] },
    { invariant: 'M', looked: { entries: 4 }, rows: ['a cent is missing'] },
  ]);
  expect(verdict).toMatchObject({ holds: false, rows: ['a cent is missing'] });
});

it('a check that had nothing to look at does not hold', () => {
  const [verdict] = verdictsOf([{ invariant: 'F', looked: { 'saga saves': 0 }, rows: [] }]);
  expect(verdict).toMatchObject({ holds: false, rows: ['there were no saga saves to look at'] });
});

it('findings are led by their letter, ten of each at most', () => {
  const rows = Array.from({ length: 13 }, (_, index) => `row ${index}`);
  const findings = findingsOf([
    { invariant: 'E', looked: {}, rows },
    { invariant: 'S', looked: {}, rows: ['one'] },
  ]);
  expect(findings).toHaveLength(12);
  expect(findings[0]).toBe('E: row 0');
  expect(findings[10]).toBe('E: and 3 more');
  expect(findings[11]).toBe('S: one');
});
