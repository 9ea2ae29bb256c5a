/** What must never break, in one sentence each. */
export const invariants = {
  M: 'money: every wallet adds up, the ledger sums to 0, nothing is negative',
  S: 'stock: everything delivered is available, reserved or sold',
  T: 'every order leaves PENDING once and in time, and its settlement ends',
  P: 'approved orders, and only they, are paid and sold; nothing stays held or reserved',
  O: 'every committed outbox row is in its topic, or among the dead letters',
  E: 'each message takes effect once',
  L: 'nothing below a committed offset is unhandled',
  K: "an order's messages arrive in the order they were written",
  A: 'what clients were told is true',
  F: 'nothing changes under a stale fence',
  D: 'every message that was consumed has its one outcome',
} as const;

export type Invariant = keyof typeof invariants;

/** What one check found: the rows that break its invariant, and what it looked at. */
export interface Check {
  readonly invariant: Invariant;
  /** How many of what. A check that had nothing to look at shows nothing, and does not hold. */
  readonly looked: Readonly<Record<string, number>>;
  /** How many of what may be there and need not. */
  readonly also?: Readonly<Record<string, number>>;
  readonly rows: readonly string[];
}

export interface Verdict {
  readonly invariant: Invariant;
  readonly holds: boolean;
  /** What was looked at: "3012 outbox rows, 1504 dead letters". */
  readonly looked: string;
  /** Every row that breaks it. */
  readonly rows: readonly string[];
}

/** One verdict per invariant that was checked, in the order of `invariants`. */
export function verdictsOf(checks: readonly Check[]): Verdict[] {
  return (Object.keys(invariants) as Invariant[]).flatMap((invariant) => {
    const of = checks.filter((check) => check.invariant === invariant);
    if (of.length === 0) return [];
    const looked = of.flatMap((check) => Object.entries(check.looked));
    const nothing = looked
      .filter(([, count]) => count === 0)
      .map(([what]) => `there were no ${what} to look at`);
    const rows = [...of.flatMap((check) => check.rows), ...nothing];
    return [
      {
        invariant,
        holds: rows.length === 0,
        looked: summed([...looked, ...of.flatMap(({ also = {} }) => Object.entries(also))]),
        rows,
      },
    ];
  });
}

function summed(counts: readonly (readonly [string, number])[]): string {
  const sums = new Map<string, number>();
  for (const [what, count] of counts) sums.set(what, (sums.get(what) ?? 0) + count);
  return [...sums].map(([what, count]) => `${count} ${what}`).join(', ');
}

/** One line per offending row, led by the invariant it breaks; at most ten rows of each: one fault often shows in hundreds. */
export function findingsOf(checks: readonly Check[]): string[] {
  const groups = Map.groupBy(
    checks.flatMap(({ invariant, rows }) => rows.map((row) => ({ invariant, row }))),
    ({ invariant }) => invariant,
  );
  return [...groups].flatMap(([invariant, found]) => [
    ...found.slice(0, 10).map(({ row }) => `${invariant}: ${row}`),
    ...(found.length > 10 ? [`${invariant}: and ${found.length - 10} more`] : []),
  ]);
}

/** Collects the rows of a check. */
export class Rows {
  readonly found: string[] = [];

  /** Remembers the row unless the condition holds. */
  expect(holds: boolean, row: string): void {
    if (!holds) this.add(row);
  }

  add(row: string): void {
    this.found.push(row);
  }
}
