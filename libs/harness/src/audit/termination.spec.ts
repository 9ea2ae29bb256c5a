import { describe, expect, it } from '@jest/globals';
import type { OrderAudit, OrderView } from '@faultline/contracts';
import type { OrderRow } from '../recorded-rows.js';
import { change } from './evidence.spec-data.js';
import { termination, transitions, upBetween } from './termination.js';

const deadline = Date.parse('2030-01-01T12:00:00Z');
const decidedAfter = (milliseconds: number): OrderView =>
  ({
    orderId: 'o',
    deadline: new Date(deadline).toISOString(),
    decidedAt: new Date(deadline + milliseconds).toISOString(),
  }) as OrderView;
const audit = (more: Partial<OrderAudit> = {}): OrderAudit => ({
  orders: [{ status: 'APPROVED', settlement: 'SETTLED', protocol: 'saga', count: 1 }],
  netAmount: { wallet: 0, card: 0 },
  netQuantities: {},
  suspended: [],
  skipped: [],
  ...more,
});

describe('T', () => {
  it('allows 30 s after the deadline and not a millisecond more', () => {
    expect(termination(audit(), [decidedAfter(30_000)]).rows).toEqual([]);
    expect(termination(audit(), [decidedAfter(30_001)]).rows).toHaveLength(1);
  });

  it('counts only while all services are up', () => {
    const outage = { from: deadline + 1000, to: deadline + 6000 };
    expect(termination(audit(), [decidedAfter(35_000)], [outage]).rows).toEqual([]);
    expect(termination(audit(), [decidedAfter(35_001)], [outage]).rows).toHaveLength(1);
  });

  it.each([
    ['pending', 'PENDING', 'NONE'],
    ['settling', 'APPROVED', 'SETTLING'],
  ] as const)('is broken by an order that stays %s', (_, status, settlement) => {
    const orders = [{ status, settlement, protocol: 'saga' as const, count: 1 }];
    expect(termination(audit({ orders }), []).rows).toHaveLength(1);
  });

  it('hides neither suspended nor skipped ones', () => {
    expect(termination(audit({ suspended: ['o'] }), []).rows).toEqual(['o is suspended']);
    const skipped = [{ orderId: 'o', reason: 'by hand' }];
    expect(termination(audit({ skipped }), []).rows).toEqual(['o was skipped: by hand']);
  });
});

describe('T, change by change', () => {
  const row = (status: string, settlement: string): OrderRow => ({ id: 'o', status, settlement });
  const pending = row('PENDING', 'NONE');
  const approved = row('APPROVED', 'SETTLING');
  const settled = row('APPROVED', 'SETTLED');
  const begun = change<OrderRow>(null, pending);
  const decided = change(pending, approved);
  const ended = change(approved, settled);

  it('holds for an order that is decided and settled, and for one that is then cancelled', () => {
    expect(transitions([begun, decided, ended]).rows).toEqual([]);
    const cancelled = change(settled, row('CANCELLED', 'SETTLING'));
    const undone = change(row('CANCELLED', 'SETTLING'), row('CANCELLED', 'UNDONE'));
    expect(transitions([begun, decided, ended, cancelled, undone]).rows).toEqual([]);
  });

  it.each([
    ['is never decided', [begun], /left PENDING 0 times/],
    ['is decided twice', [begun, decided, decided], /left PENDING 2 times/],
    ['is cancelled undecided', [begun, change(pending, row('CANCELLED', 'SETTLING'))], /to CANCELLED/],
    ['becomes pending again', [begun, decided, change(approved, pending)], /to PENDING/],
    ['changes its mind', [begun, decided, change(approved, row('REJECTED', 'SETTLING'))], /to REJECTED/],
    ['is settled and goes on', [begun, decided, ended, change(settled, approved)], /from APPROVED\/SETTLED/],
    ['vanishes', [begun, decided, change<OrderRow>(approved, null)], /to nowhere/],
  ])('is broken by an order that %s', (_, changes, expected) => {
    expect(transitions(changes).rows.join('\n')).toMatch(expected);
  });
});

it('leaves outages out, also such that overlap', () => {
  expect(upBetween(0, 100, [])).toBe(100);
  expect(upBetween(100, 0, [])).toBe(0);
  expect(
    upBetween(0, 100, [
      { from: -50, to: 10 },
      { from: 20, to: 40 },
      { from: 30, to: 50 },
      { from: 90, to: 200 },
    ]),
  ).toBe(50);
});
