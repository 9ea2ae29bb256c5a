import { type JournalEntry, OrderView, Timeline } from '@faultline/contracts';
import { Problem } from '@faultline/local/system';
import { send } from '../http.js';
import { readTraceFolder, type TraceFolder } from './files.js';
import type { Span } from './span.js';

export interface Found {
  readonly orderId: string;
  readonly traceId: string;
  readonly spans: readonly Span[];
  /** Null while the order service does not answer. */
  readonly order: OrderView | null;
  readonly journal: readonly JournalEntry[];
  /** Services whose journal is missing. */
  readonly unanswered: readonly string[];
}

export interface Where {
  /** The folder in which the services keep their spans. */
  readonly folder: string;
  /** The order service. */
  readonly url: string;
}

type Asked =
  | { readonly order: OrderView; readonly timeline: Timeline | null }
  | { readonly unknown: true }
  | { readonly silent: true };

/**
 * An order's trace from the files that the services keep, and its journal from the order service when that answers.
 * Throws a Problem that says what is missing: the order, the spans, or everything.
 */
export async function findTrace(orderId: string, { folder, url }: Where): Promise<Found> {
  const asked = await ask(url, orderId);
  const kept = readTraceFolder(folder);
  if ('unknown' in asked)
    throw new Problem(`There is no order ${orderId} (the order service at ${url} says so).`);
  const traceId = 'order' in asked ? asked.order.traceId : kept && traceOf(kept.ofOrder(orderId));
  const spans = kept && traceId ? distinct(kept.ofTrace(traceId)) : [];
  if (!traceId || spans.length === 0) throw new Problem(whyNothing(orderId, asked, kept, { folder, url }));
  const timeline = 'order' in asked ? asked.timeline : null;
  return {
    orderId,
    traceId,
    spans,
    order: 'order' in asked ? asked.order : null,
    journal: timeline?.entries ?? [],
    unanswered: timeline ? timeline.unanswered : ['order', 'inventory', 'payment'],
  };
}

async function ask(url: string, orderId: string): Promise<Asked> {
  try {
    const answer = await send(`${url}/orders/${orderId}`, { within: 3000, keepAlive: false });
    if (answer.status === 404) return { unknown: true };
    if (answer.status !== 200) return { silent: true };
    const order = OrderView.parse(answer.json());
    const timeline = await send(`${url}/orders/${orderId}/timeline`, { within: 5000, keepAlive: false })
      .then((told) => (told.status === 200 ? Timeline.parse(told.json()) : null))
      .catch(() => null);
    return { order, timeline };
  } catch {
    return { silent: true };
  }
}

/** The trace in which the order was accepted; those of repeated requests and of operators name it, too. */
function traceOf(spans: readonly Span[]): string | null {
  const accepted = spans.find(({ name }) => name === 'accept order');
  if (accepted) return accepted.traceId;
  // Its process was killed before it could tell: what carries messages is the order's trace.
  const carrying = spans.find(({ kind }) => kind === 'PRODUCER' || kind === 'CONSUMER');
  return (carrying ?? spans[0])?.traceId ?? null;
}

/** A batch may have been written twice: a span is one all the same. */
function distinct(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((span) => [span.spanId, span])).values()];
}

const clock = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');
/** Milliseconds after which what was not written is not going to be. */
const soon = 5000;

function whyNothing(orderId: string, asked: Asked, kept: TraceFolder | null, { folder, url }: Where): string {
  if (!('order' in asked)) {
    return kept === null
      ? `The order service does not answer at ${url}, and no spans are kept in ${folder}. Start the system with: npm start`
      : `No span of order ${orderId} is kept in ${folder}, and the order service does not answer at ${url}: is the id right? Start the system with: npm start`;
  }
  const { order } = asked;
  const ended = order.settledAt ?? order.decidedAt ?? order.createdAt;
  const hint = `Its journal is at ${url}/orders/${orderId}/timeline`;
  if (kept === null)
    return `Order ${orderId} is there, but no spans are kept in ${folder}: another system's folder is named by --folder, and OTEL_TRACES_SAMPLER, OTEL_TRACES_EXPORTER or OTEL_SDK_DISABLED may keep spans from being written. ${hint}`;
  const oldest = kept.oldest('order');
  if (oldest !== null && Date.parse(order.createdAt) < oldest)
    return `Order ${orderId} was placed at ${clock(Date.parse(order.createdAt))} UTC, and the spans that are kept begin at ${clock(oldest)}: its trace is forgotten. ${hint}`;
  if (Date.now() - Date.parse(ended) < soon)
    return `The spans of order ${orderId} are not written yet: try again in a second. ${hint}`;
  return `No span of order ${orderId} was kept, though those of its time are: its trace was not sampled (OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG), or is not kept (OTEL_TRACES_EXPORTER). ${hint}`;
}
