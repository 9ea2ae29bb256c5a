import type { Span } from './span.js';

export interface Node {
  readonly span: Span;
  readonly children: readonly Node[];
}

/** The spans of one trace as they caused each other; siblings in the order in which they began. */
export interface TraceTree {
  readonly roots: readonly Node[];
  /** Spans whose parent is not here: their process was killed before it was exported, or it is still under way. */
  readonly orphans: readonly Node[];
}

export function treeOf(spans: readonly Span[]): TraceTree {
  const known = new Map(spans.map((span) => [span.spanId, span]));
  const inOrder = [...known.values()].sort((a, b) => a.start - b.start);
  const byParent = Map.groupBy(inOrder, ({ parentSpanId }) => parentSpanId);
  const nodeOf = (span: Span): Node => ({
    span,
    children: (byParent.get(span.spanId) ?? []).map(nodeOf),
  });
  return {
    roots: (byParent.get(null) ?? []).map(nodeOf),
    orphans: inOrder
      .filter(({ parentSpanId }) => parentSpanId !== null && !known.has(parentSpanId))
      .map(nodeOf),
  };
}
