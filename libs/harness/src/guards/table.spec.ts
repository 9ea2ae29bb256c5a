import { describe, expect, it } from '@jest/globals';
import type { Guard } from './guard.js';
import { between, judged, markdown, markdownInShort } from './table.js';

const guard: Guard = {
  name: 'inbox',
  invariants: ['E'],
  where: 'libs/transactions/outbox/src/batch.ts',
  protections: [
    { what: 'the look', patches: [] },
    { what: 'the key', patches: [] },
  ],
  schedule: 'killed | delivered again',
  services: ['payment'],
  run: () => Promise.resolve(),
};

describe('a demonstration', () => {
  it('shows a guard by nothing with it, and one of its invariants without it', () => {
    expect(judged(guard, { withGuard: [], without: ['T: late', 'E: twice'] })).toMatchObject({
      verdict: 'shown',
      row: 'E: twice',
    });
  });

  it('shows it by the invariant that it names first', () => {
    const both = { ...guard, invariants: ['P', 'E'] };
    expect(judged(both, { withGuard: [], without: ['E: twice', 'P: unpaid'] })).toMatchObject({
      row: 'P: unpaid',
    });
  });

  it.each([
    ['nothing broke', { withGuard: [], without: [] }, 'E held without it: nothing broke'],
    ['something else broke', { withGuard: [], without: ['T: late'] }, 'E held without it: only T: late'],
    [
      'it broke with the guard, too',
      { withGuard: ['E: twice'], without: ['E: twice'] },
      'red with the guard',
    ],
  ])('does not when %s', (_, demonstration, because) => {
    expect(judged(guard, demonstration)).toMatchObject({
      verdict: 'failed',
      because: expect.stringContaining(because),
    });
  });
});

describe('the table', () => {
  it('has a row per guard that reads the same after every run: without ids, and with bars that split nothing', () => {
    const row = 'E: 01a2104b-2862-7227-8a07-a10e69f7c98e took effect twice';
    const [, , line] = markdown([judged(guard, { withGuard: [], without: [row] })]).split('\n');
    expect(line).toBe(
      '| inbox | the look **and** the key ([batch.ts](../libs/transactions/outbox/src/batch.ts)) | E | killed \\| delivered again | green | red: E: … took effect twice |',
    );
  });

  it('says of a guard that was not shown why', () => {
    expect(markdown([judged(guard, { withGuard: [], without: [] })])).toContain(
      '| not shown | E held without it: nothing broke |',
    );
  });

  it('says in short what is taken out, what breaks and when', () => {
    const shown = judged(guard, { withGuard: [], without: ['E: twice'] });
    expect(markdownInShort([shown]).split('\n').at(-1)).toBe(
      '| the look **and** the key | E | killed \\| delivered again |',
    );
    expect(markdownInShort([judged(guard, { withGuard: [], without: [] })])).toContain('| not shown |');
  });

  it('stands between its markers, and replaces what stood there', () => {
    const page = 'before <a> old <b> after';
    expect(between(page, ['<a>', '<b>'], 'new')).toBe('before <a>\n\nnew\n\n<b> after');
    expect(between(between(page, ['<a>', '<b>'], 'x'), ['<a>', '<b>'], 'new')).toBe(
      between(page, ['<a>', '<b>'], 'new'),
    );
  });

  it.each(['nothing', 'only <a>', '<b> before <a>', '<a> <a> <b>', '<a> <b> <b>'])(
    'is not put into a page with other markers: %s',
    (page) => {
      expect(() => between(page, ['<a>', '<b>'], 'new')).toThrow(/must have <a> and <b> once each/);
    },
  );
});
