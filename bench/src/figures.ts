import type { Histogram } from 'hdr-histogram-js';
import { newHistogram } from './loops.js';
import type { Round, Subject } from './session.js';

/** All rounds of one load on one case, put together. */
export interface Figures {
  readonly subject: Subject;
  readonly kind: 'closed' | 'open';
  readonly size: number;
  readonly rounds: number;
  readonly orders: number;
  readonly declined: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly worst: number;
  /** CPU seconds per 1,000 orders: of all but the load generator, and of each group. */
  readonly cpu: number;
  readonly cpuBy: Readonly<Record<string, number>>;
  readonly statements: number;
  readonly transactionControl: number;
  readonly walBytes: number;
  readonly messages: number;
  /** Megabytes at the end. */
  readonly memory: Readonly<Record<string, number>>;
  readonly foreignShare: number;
  readonly findings: readonly string[];
}

export function figuresOf(rounds: readonly Round[]): Figures {
  const [first] = rounds;
  if (!first) throw new Error('nothing was measured');
  const total = (of: (round: Round) => number): number => rounds.reduce((sum, round) => sum + of(round), 0);
  const orders = total(({ measured }) => measured.ended);
  const latency: Histogram = newHistogram();
  for (const { measured } of rounds) latency.add(measured.latency);
  const cpuBy = Object.fromEntries(
    Object.keys(first.cpu).map((group) => [group, (total(({ cpu }) => cpu[group] ?? 0) / orders) * 1000]),
  );
  const at = (percentile: number): number => latency.getValueAtPercentile(percentile) / 1000;
  return {
    subject: first.subject,
    kind: first.loop.kind,
    size: first.loop.size,
    rounds: rounds.length,
    orders,
    declined: orders - total(({ measured }) => measured.approved),
    perSecond: total(({ measured }) => measured.decided) / total(({ measured }) => measured.seconds),
    p50: at(50),
    p95: at(95),
    p99: at(99),
    worst: latency.maxValue / 1000,
    cpu: Object.entries(cpuBy).reduce((sum, [group, seconds]) => sum + (group === 'load' ? 0 : seconds), 0),
    cpuBy,
    statements: total(({ statements }) => statements) / orders,
    transactionControl: total(({ transactionControl }) => transactionControl) / orders,
    walBytes: total(({ walBytes }) => walBytes) / orders,
    messages:
      total(({ messages }) => Object.values(messages).reduce((sum, count) => sum + count, 0)) / orders,
    memory: rounds.at(-1)?.memory ?? {},
    foreignShare: total(({ foreignCpu }) => foreignCpu) / total(({ elapsed }) => elapsed),
    findings: rounds.flatMap(({ findings }) => findings),
  };
}

/** Median over the rounds of Faultline's rate by bare's of the same round: what drifts, drifts for both. */
export function ratioOf(bare: readonly Round[], faultline: readonly Round[]): number {
  const ratios = faultline.flatMap(({ measured }, index) => {
    const other = bare[index]?.measured;
    return other ? [measured.decided / measured.seconds / (other.decided / other.seconds)] : [];
  });
  return median(ratios);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
