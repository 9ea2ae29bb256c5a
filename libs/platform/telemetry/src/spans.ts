import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { RandomIdGenerator } from '@opentelemetry/sdk-trace';
import { contextOf } from './traceparent.js';

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** A stored traceparent to continue. Absent: the active span is the parent. Null or invalid: a new trace. */
  readonly parent?: string | null | undefined;
  /** Traceparents of spans that this one is caused by without being their child. */
  readonly links?: readonly string[];
}

/** A span that ends when it is told to. `within` runs work with it as the active one. */
export interface OpenSpan {
  readonly span: Span;
  within<T>(work: () => T): T;
}

const ids = new RandomIdGenerator();
let unsampledStaysSo = false;

/** Told by the start of telemetry: with its sampler, what begins below a span that is not sampled only needs ids. */
export function keepUnsampled(keep: boolean): void {
  unsampledStaysSo = keep;
}

/**
 * Runs the work inside a span that ends with it. What the work throws marks the span as failed and is thrown on.
 * A refusal is a value and no failure: set an attribute instead.
 */
export async function withSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => T | Promise<T>,
): Promise<T> {
  const parent = parentContext(options.parent);
  const span = openSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/**
 * Opens a span for work that ends in a callback and not in a promise: run the work through `within`, then end the span.
 * With `unsampled` it only has ids: for probes and scrapes, which would drown the traces of orders.
 * Its ids are valid even when telemetry was never started.
 */
export function startSpan(name: string, options: SpanOptions & { readonly unsampled?: boolean }): OpenSpan {
  const parent = parentContext(options.parent);
  const opened = options.unsampled ? undefined : openSpan(name, options, parent);
  const span =
    opened && trace.isSpanContextValid(opened.spanContext())
      ? opened
      : trace.wrapSpanContext({
          traceId: contextOf(options.parent)?.traceId ?? ids.generateTraceId(),
          spanId: ids.generateSpanId(),
          traceFlags: TraceFlags.NONE,
        });
  return { span, within: (work) => context.with(trace.setSpan(parent, span), work) };
}

/**
 * Runs work that opens spans of its own and can tell only by its end how they ended: a transaction, for one. They all
 * end with it, and have failed when it has.
 */
export async function withSpans<T>(work: (open: typeof startSpan) => Promise<T>): Promise<T> {
  const spans: Span[] = [];
  try {
    return await work((name, options) => {
      const opened = startSpan(name, options);
      spans.push(opened.span);
      return opened;
    });
  } catch (error) {
    for (const span of spans) failSpan(span, error);
    throw error;
  } finally {
    for (const span of spans) span.end();
  }
}

/** Says more about what the active span does. Nothing happens outside of any. */
export function describeSpan(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

/** Notes what happens within the active span, at this moment. Nothing happens outside of any. */
export function noteInSpan(event: string, attributes: Attributes = {}): void {
  trace.getActiveSpan()?.addEvent(event, attributes);
}

/** Marks a span as failed, with the error as an event of it. */
export function failSpan(span: Span, error: unknown): void {
  if (!span.isRecording()) return;
  span.recordException(error instanceof Error ? error : String(error));
  span.setAttribute('error.type', error instanceof Error ? error.name : '_OTHER');
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: error instanceof Error ? error.message : String(error),
  });
}

function openSpan(name: string, options: SpanOptions, parent: Context): Span {
  const above = unsampledStaysSo ? trace.getSpanContext(parent) : undefined;
  // The SDK copies and checks the attributes before it finds that nobody wants them: a tenth of all garbage of a service.
  if (above && !(above.traceFlags & TraceFlags.SAMPLED)) {
    return trace.wrapSpanContext({
      traceId: above.traceId,
      spanId: ids.generateSpanId(),
      traceFlags: TraceFlags.NONE,
    });
  }
  const links = (options.links ?? []).flatMap((traceparent) => {
    const linked = contextOf(traceparent);
    return linked ? [{ context: linked }] : [];
  });
  return trace
    .getTracer('faultline')
    .startSpan(
      name,
      { kind: options.kind ?? SpanKind.INTERNAL, attributes: options.attributes ?? {}, links },
      parent,
    );
}

function parentContext(parent: string | null | undefined): Context {
  if (parent === undefined) return context.active();
  const remote = contextOf(parent);
  return remote
    ? trace.setSpanContext(context.active(), remote)
    : trace.deleteSpan(context.active() ?? ROOT_CONTEXT);
}
