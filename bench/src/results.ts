import type { FullTables } from './full-tables.js';
import type { Kill } from './kill.js';
import type { Machine } from './machine.js';
import type { Compared } from './speed.js';
import type { Traced } from './tracing.js';

/** Everything that one run found out. */
export interface Results {
  readonly at: string;
  readonly machine: Machine;
  /** How it was called. */
  readonly command: string;
  readonly fsync: boolean;
  readonly secondsPerRound: number;
  readonly rounds: number;
  readonly speed?: readonly Compared[];
  readonly kills?: readonly Kill[];
  readonly fullTables?: FullTables;
  readonly tracing?: readonly Traced[];
}

/** What the audits found, over all parts. */
export function findingsOf({ speed, kills, fullTables, tracing }: Results): string[] {
  const compared = [...(speed ?? []), ...(fullTables ? [fullTables.empty, fullTables.full] : [])];
  return [
    ...compared.flatMap(({ bare, faultline }) => [...bare.findings, ...faultline.findings]),
    ...(kills ?? []).flatMap(({ findings }) => findings),
    ...(tracing ?? []).flatMap(({ figures }) => figures.findings),
  ];
}

/** Processors that others used while it was measured, on average: a quiet machine has next to none. Null when nothing measured it. */
export function foreignShareOf({ speed, fullTables, tracing }: Results): number | null {
  const compared = [...(speed ?? []), ...(fullTables ? [fullTables.empty, fullTables.full] : [])];
  const shares = [
    ...compared.flatMap(({ bare, faultline }) => [bare.foreignShare, faultline.foreignShare]),
    ...(tracing ?? []).map(({ figures }) => figures.foreignShare),
  ];
  return shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
