import type { JournalEntry } from '@faultline/contracts';
import { axisOf, type Axis } from './axis.js';
import { labelsOf } from './label.js';
import type { Span } from './span.js';
import { type Node, treeOf } from './tree.js';

/** One line of the picture. */
export interface Row {
  readonly is: 'span' | 'orphan' | 'journal';
  readonly service: string;
  readonly label: string;
  readonly failed: boolean;
  /** Milliseconds since the trace began, and from there on; null for what has no duration. */
  readonly offset: number;
  readonly duration: number | null;
  readonly bar: string;
}

export interface Picture {
  readonly rows: readonly Row[];
  readonly journal: readonly Row[];
  /** Milliseconds from the first to the last instant. */
  readonly length: number;
  readonly folds: readonly { readonly offset: number; readonly length: number }[];
  readonly orphans: number;
  readonly columns: { readonly service: number; readonly label: number; readonly bar: number };
}

/** Columns that start and duration take, with what keeps them apart. */
export const timeColumns = 10;
const leastBar = 12;
const mostBar = 80;

/**
 * The spans of one trace as a waterfall, `width` columns wide, and the journal on the same axis. Pure: the same spans make
 * the same picture. A terminal too narrow for bars gets none, and shorter labels.
 */
export function layOut(spans: readonly Span[], entries: readonly JournalEntry[], width: number): Picture {
  const labelOf = labelsOf(spans);
  const several = replicated(spans);
  const tree = treeOf(spans);
  const lines = [
    ...tree.roots.map((node) => ({ node, orphan: false })),
    ...tree.orphans.map((node) => ({ node, orphan: true })),
  ]
    .sort((a, b) => a.node.span.start - b.node.span.start)
    .flatMap(({ node, orphan }) => [...walk(node, '', '', orphan)]);
  const told = entries.map((entry) => ({ entry, at: Date.parse(entry.at) })).sort((a, b) => a.at - b.at);

  const labels = lines.map(({ prefix, span, orphan }) => `${prefix}${orphan ? '? ' : ''}${labelOf(span)}`);
  const notes = told.map(
    ({ entry }) => `${entry.what}${entry.attempt > 1 ? ` #${entry.attempt}` : ''} → ${entry.outcome}`,
  );
  const services = [
    ...lines.map(({ span }) => (several.has(span.service) ? span.instance : span.service)),
    ...told.map(({ entry }) => entry.service),
  ];
  const columns = share(width, services, [...labels, ...notes]);

  const instants = [...spans.flatMap(({ start, end }) => [start, end]), ...told.map(({ at }) => at)];
  const begun = Math.min(...instants);
  const axis = axisOf(instants, Math.max(1, columns.bar));
  return {
    rows: lines.map(({ span, orphan }, index) => ({
      is: orphan ? 'orphan' : 'span',
      service: services[index] ?? span.service,
      label: cut(labels[index] ?? span.name, columns.label),
      failed: span.error !== null,
      offset: span.start - begun,
      duration: span.end - span.start,
      bar: columns.bar === 0 ? '' : barOf(axis, columns.bar, span.start, span.end),
    })),
    journal: told.map(({ entry, at }, index) => ({
      is: 'journal',
      service: entry.service,
      label: cut(notes[index] ?? entry.what, columns.label),
      failed: false,
      offset: at - begun,
      duration: null,
      bar: columns.bar === 0 ? '' : markAt(axis, columns.bar, at),
    })),
    length: Math.max(...instants) - begun,
    folds: axis.folds.map(({ from, to }) => ({ offset: from - begun, length: to - from })),
    orphans: tree.orphans.length,
    columns,
  };
}

interface Line {
  readonly span: Span;
  readonly prefix: string;
  readonly orphan: boolean;
}

function* walk({ span, children }: Node, prefix: string, below: string, orphan = false): Generator<Line> {
  yield { span, prefix, orphan };
  for (const [index, child] of children.entries()) {
    const last = index === children.length - 1;
    yield* walk(child, `${below}${last ? '└ ' : '├ '}`, `${below}${last ? '  ' : '│ '}`);
  }
}

/** Services of which more than one instance is in the trace: there the instance says more. */
function replicated(spans: readonly Span[]): Set<string> {
  const instances = Map.groupBy(spans, ({ service }) => service);
  return new Set(
    [...instances]
      .filter(([, all]) => new Set(all.map(({ instance }) => instance)).size > 1)
      .map(([service]) => service),
  );
}

function share(width: number, services: readonly string[], labels: readonly string[]): Picture['columns'] {
  const service = Math.max(...services.map((name) => name.length)) + 1;
  const rest = Math.max(10, width - service - 2 * timeColumns);
  const longest = Math.max(...labels.map((label) => label.length)) + 1;
  const label = Math.min(longest, Math.max(Math.floor(rest * 0.65), rest - mostBar));
  const bar = Math.min(mostBar, rest - label);
  return bar < leastBar ? { service, label: Math.min(longest, rest), bar: 0 } : { service, label, bar };
}

function barOf(axis: Axis, columns: number, start: number, end: number): string {
  const from = axis.column(start);
  const to = axis.column(end);
  const cells = blank(axis, columns);
  if (from === to) cells[from] = '▏';
  for (let column = from; column < to; column += 1) cells[column] = '█';
  for (const fold of axis.folds) if (fold.column >= from && fold.column < to) cells[fold.column] = '≈';
  return cells.join('').trimEnd();
}

function markAt(axis: Axis, columns: number, at: number): string {
  const cells = blank(axis, columns);
  cells[axis.column(at)] = '◆';
  return cells.join('').trimEnd();
}

function blank(axis: Axis, columns: number): string[] {
  const folded = new Set(axis.folds.map(({ column }) => column));
  return Array.from({ length: columns }, (_, column) => (folded.has(column) ? '┊' : ' '));
}

/** No longer than `columns` - 1, so that the next column stays apart. */
function cut(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(1, columns - 2))}…`;
}
