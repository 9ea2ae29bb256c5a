import type { Results } from './results.js';

export interface Verdict {
  readonly goal: string;
  readonly wanted: string;
  readonly found: string;
  readonly reached: boolean;
}

/** What this project wants to reach, as ratios to plain SQL in the same session. Answers what was measured. */
export function verdicts({ speed, kills, fullTables }: Results): Verdict[] {
  const at = (kind: 'closed' | 'open', size: number) =>
    speed?.find(({ faultline }) => faultline.kind === kind && faultline.size === size);
  const some = at('closed', 16);
  const many = at('closed', 64);
  const calm = at('open', 50);
  return [
    ...(some
      ? [
          atLeast('16 clients: orders per second', 0.5, some.ratio, ' x bare'),
          atMost('16 clients: CPU per 1,000 orders', 6, some.faultline.cpu, ' s'),
          atMost('16 clients: SQL statements per order', 6, some.faultline.statements, ''),
        ]
      : []),
    ...(many
      ? [
          atLeast('64 clients: orders per second', 1, many.ratio, ' x bare'),
          atMost('64 clients: CPU per 1,000 orders', 3, many.faultline.cpu, ' s'),
        ]
      : []),
    ...(calm
      ? [
          atMost('50/s open: p50 from POST to decision', 25, calm.faultline.p50, ' ms', 0),
          atMost('50/s open: p99 from POST to decision', 80, calm.faultline.p99, ' ms', 0),
        ]
      : []),
    ...(kills
      ? [
          atMost(
            'kill -9: all in flight decided after',
            3,
            worst(kills.map(({ decided }) => decided / 1000)),
            ' s',
          ),
          atMost(
            'kill -9: of that, after the service was ready again',
            1,
            worst(kills.map(({ decided, ready }) => (decided - ready) / 1000)),
            ' s',
          ),
        ]
      : []),
    ...(fullTables
      ? [atMost(`${fullTables.rows} ended orders: slower by`, 10, fullTables.slower * 100, ' %', 0)]
      : []),
  ];
}

const worst = (values: readonly number[]): number => Math.max(...values);

const atLeast = (goal: string, limit: number, value: number, unit: string, digits = 2): Verdict => ({
  goal,
  wanted: `>= ${limit}${unit}`,
  found: `${value.toFixed(digits)}${unit}`,
  reached: value >= limit,
});

const atMost = (goal: string, limit: number, value: number, unit: string, digits = 2): Verdict => ({
  goal,
  wanted: `<= ${limit}${unit}`,
  found: `${value.toFixed(digits)}${unit}`,
  reached: value <= limit,
});
