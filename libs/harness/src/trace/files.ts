import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attributeOf, type Span, spansOf } from './span.js';

/** What the services of a local system keep of their spans. */
export interface TraceFolder {
  /** The spans that name this order, from whichever trace. */
  ofOrder(orderId: string): Span[];
  ofTrace(traceId: string): Span[];
  /** When the oldest span of this service began, in milliseconds since the epoch; null when none is kept. */
  oldest(service: string): number | null;
}

/** Reads a folder of trace files once; null when there is none, or nothing in it. Lines that a kill tore are passed over. */
export function readTraceFolder(folder: string): TraceFolder | null {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.jsonl')) : [];
  const lines = files.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
  );
  if (lines.length === 0) return null;
  // A line is a batch of many orders' spans: only those that name what is asked for are worth reading.
  const naming = (id: string): Span[] => lines.filter((line) => line.includes(id)).flatMap(spansIn);
  return {
    ofOrder: (orderId) =>
      naming(orderId).filter((span) => attributeOf(span, 'faultline.order_id') === orderId),
    ofTrace: (traceId) => naming(traceId).filter((span) => span.traceId === traceId),
    oldest(service) {
      const begun = files
        .filter((name) => name.startsWith(`${service}-`))
        .flatMap((name) => {
          const text = readFileSync(join(folder, name), 'utf8');
          return text
            .split('\n')
            .slice(0, 3)
            .flatMap((line) => (line === '' ? [] : spansIn(line)))
            .map(({ start }) => start);
        });
      return begun.length === 0 ? null : Math.min(...begun);
    },
  };
}

function spansIn(line: string): Span[] {
  try {
    return spansOf(JSON.parse(line));
  } catch {
    return [];
  }
}
