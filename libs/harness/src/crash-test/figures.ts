import { lengthOf, type Recovery } from '../kills/recovery.js';
import type { CrashTestResult } from './crash-test.js';

/** Of milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
}

/** By rank: the smallest value that so many per cent do not exceed. Zeros for none. */
export function spreadOf(milliseconds: readonly number[]): Spread {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), longest: at(1) };
}

/** The figures of a crash test, for people and for whoever compares two runs. */
export interface Figures {
  readonly kills: number;
  readonly freezes: number;
  /** How often each process was struck by each signal. */
  readonly strikes: Readonly<Record<string, number>>;
  readonly ordersPlaced: number;
  readonly ordersAccepted: number;
  /** Accepted only after the key had to be repeated. */
  readonly repeated: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the planned moment to the definite answer, and to the decision. */
  readonly answered: Spread;
  readonly decided: Spread;
  /** From the strike until the process was ready, and until everything that was in flight was decided. */
  readonly ready: Spread;
  readonly inFlightDecided: Spread;
  readonly worst: Recovery | null;
}

export function figuresOf({ struck, arrivals, accepted }: CrashTestResult): Figures {
  const { recoveries } = struck;
  const answered = arrivals.flatMap(({ plannedAt, answeredAt }) =>
    answeredAt === undefined ? [] : [answeredAt - plannedAt],
  );
  const decided = arrivals.flatMap(({ plannedAt, placement }) => {
    const at = placement?.order?.decidedAt;
    return at ? [Date.parse(at) - plannedAt] : [];
  });
  const defined = (values: readonly (number | undefined)[]): number[] =>
    values.flatMap((value) => value ?? []);
  return {
    kills: struck.kills,
    freezes: struck.freezes,
    strikes: countsOf(recoveries.map((each) => `${each.process} ${each.signal}`)),
    ordersPlaced: arrivals.length,
    ordersAccepted: accepted.length,
    repeated: accepted.filter(({ answers }) => answers.length > 1).length,
    outcomes: countsOf(
      accepted.map(
        ({ order }) =>
          `${order.status}/${order.settlement}${order.rejection ? ` ${order.rejection.reason}` : ''}`,
      ),
    ),
    answered: spreadOf(answered),
    decided: spreadOf(decided),
    ready: spreadOf(defined(recoveries.map(({ ready }) => ready))),
    inFlightDecided: spreadOf(defined(recoveries.map(({ decided: after }) => after))),
    worst: worstOf(recoveries) ?? null,
  };
}

/** The recovery that took longest of those that are over. */
export function worstOf(recoveries: readonly Recovery[]): Recovery | undefined {
  return recoveries.reduce<Recovery | undefined>(
    (worst, each) => (worst === undefined || lengthOf(each) > lengthOf(worst) ? each : worst),
    undefined,
  );
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
