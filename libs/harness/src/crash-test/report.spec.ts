import { describe, expect, it } from '@jest/globals';
import type { OrderView } from '@faultline/contracts';
import type { Verdict } from '../audit/verdict.js';
import type { CrashTestResult } from './crash-test.js';
import { spreadOf } from './figures.js';
import { lineOf } from './progress-line.js';
import { holds, markdownOf, reportOf, verdictLines } from './report.js';

const good: Verdict = { invariant: 'M', holds: true, looked: '3 wallets', rows: [] };
const bad: Verdict = {
  invariant: 'E',
  holds: false,
  looked: '9 messages',
  rows: ['a took effect twice', 'b too'],
};
const planned = Date.parse('2030-01-01T12:00:00.000Z');
const order = {
  orderId: 'o',
  status: 'REJECTED',
  settlement: 'UNDONE',
  rejection: { reason: 'INSUFFICIENT_FUNDS', detail: '' },
  decidedAt: '2030-01-01T12:00:00.250Z',
} as OrderView;
const placement = { key: 'k', body: { customerId: 'c', lines: [] }, answers: ['500', '202'], order };
const result = (verdicts: readonly Verdict[] | null): CrashTestResult => ({
  struck: {
    kills: 2,
    freezes: 1,
    outages: [],
    lost: [],
    recoveries: [
      { process: 'order', signal: 'SIGKILL', strike: 1, at: 0, inFlight: 3, ready: 900, decided: 1500 },
      { process: 'payment', signal: 'SIGTERM', strike: 2, at: 0, inFlight: 0, ready: 1900, decided: 0 },
      { process: 'order', signal: 'SIGSTOP', strike: 3, at: 0, inFlight: 1 },
    ],
  },
  arrivals: [{ plannedAt: planned, answeredAt: planned + 90, placement }, { plannedAt: planned + 5 }],
  accepted: [placement],
  verdicts,
  kept: null,
  seconds: { killing: 60, settling: 2.5, judging: 1.2 },
});
const report = (verdicts: readonly Verdict[] | null) =>
  reportOf(
    {
      startedAt: new Date(planned),
      command: 'npm run crash-test -- --seed 7',
      seed: 7,
      rate: 20,
      replicas: 1,
    },
    result(verdicts),
  );

it('takes its figures from the planned moments', () => {
  const { figures } = report([good]);
  expect(figures).toMatchObject({ kills: 2, freezes: 1, ordersPlaced: 2, ordersAccepted: 1, repeated: 1 });
  expect(figures.answered).toMatchObject({ count: 1, longest: 90 });
  expect(figures.decided).toMatchObject({ count: 1, longest: 250 });
  expect(figures.outcomes).toEqual({ 'REJECTED/UNDONE INSUFFICIENT_FUNDS': 1 });
  expect(figures.strikes).toEqual({ 'order SIGKILL': 1, 'order SIGSTOP': 1, 'payment SIGTERM': 1 });
  expect(figures.worst).toMatchObject({ process: 'payment', strike: 2 });
});

it('ranks what took long', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(spreadOf(hundred)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, longest: 100 });
  expect(spreadOf([])).toEqual({ count: 0, p50: 0, p95: 0, p99: 0, longest: 0 });
});

describe('the verdict', () => {
  it('is good when every invariant was judged and holds', () => {
    expect(holds(report([good]))).toBe(true);
    expect(holds(report([good, bad]))).toBe(false);
    expect(holds(report([]))).toBe(false);
    expect(holds(report(null))).toBe(false);
  });

  it('is printed with the rows that break it, and no more than a screen of them', () => {
    const lines = verdictLines([good, bad], 1);
    expect(lines[0]).toMatch(/^holds {3}M {2}money.*\(3 wallets\)$/);
    expect(lines[1]).toMatch(/^BROKEN {2}E {2}each message takes effect once/);
    expect(lines.slice(2).map((line) => line.trim())).toEqual(['a took effect twice', 'and 1 more']);
    expect(verdictLines(null)).toHaveLength(1);
  });

  it('stands at the top of the report, which names seed, command and offending rows', () => {
    const text = markdownOf(report([good, bad]));
    expect(text).toMatch(/^# Crash test, seed 7\n\n\*\*At least one invariant is broken/);
    expect(text).toContain('`npm run crash-test -- --seed 7`');
    expect(text).toContain('- a took effect twice');
    expect(text).toContain('Worst recovery: strike 2, SIGTERM of payment, ready after 1.9 s');
    expect(markdownOf(report([good]))).toContain('Every invariant holds.');
    expect(markdownOf(report(null))).toContain('Ended early: no verdict.');
  });
});

it('one line shows kills, orders, what is open and the worst recovery', () => {
  const [worst] = result(null).struck.recoveries;
  const state = { phase: 'killing', kills: 12, orders: 340, open: 17, worst } as const;
  expect(lineOf(state, 500, 61_000)).toBe(
    '  61 s  kills 12/500  orders 340  open 17  worst recovery 1.5 s (SIGKILL order)',
  );
  expect(lineOf({ ...state, phase: 'settling', worst: undefined }, 500, 1000)).toBe(
    '   1 s  kills 12/500  orders 340  open 17  settling',
  );
});
