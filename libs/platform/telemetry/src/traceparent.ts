import { type SpanContext, trace } from '@opentelemetry/api';

const version00 = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The span context that a W3C `traceparent` names, or undefined when it names none that is valid. */
export function contextOf(traceparent: string | null | undefined): SpanContext | undefined {
  const match = version00.exec(traceparent ?? '');
  const [, traceId, spanId, flags, more] = match ?? [];
  if (!traceId || !spanId || !flags || traceparent?.startsWith('ff')) return undefined;
  // A later version may append fields; version 00 may not (W3C Trace Context, 3.2.2).
  if (more !== undefined && traceparent?.startsWith('00')) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

/** The trace id that a W3C `traceparent` names, or null when it names none that is valid. */
export function traceIdOf(traceparent: string | null | undefined): string | null {
  return contextOf(traceparent)?.traceId ?? null;
}

/** W3C `traceparent` of a span context (Trace Context, level 1). */
export function traceparentOf(context: SpanContext): string {
  return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & 1}`;
}

/** W3C `traceparent` of the active span, to be stored or sent; null outside of any. */
export function currentTraceparent(): string | null {
  const context = trace.getActiveSpan()?.spanContext();
  return context ? traceparentOf(context) : null;
}
