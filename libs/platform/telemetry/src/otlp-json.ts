import type { AttributeValue, Attributes, HrTime } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/**
 * Spans of one process as OTLP's JSON (TracesData), the same that goes out over HTTP: whatever reads OTLP files reads
 * ours. The exporter's own serializer would cost 18 MB of memory in every process.
 */
export function otlpJson(spans: readonly ReadableSpan[]): object {
  const [first] = spans;
  return {
    resourceSpans: [
      {
        resource: { attributes: keyValues(first?.resource.attributes ?? {}) },
        scopeSpans: [{ scope: { name: first?.instrumentationScope.name ?? '' }, spans: spans.map(spanJson) }],
      },
    ],
  };
}

function spanJson(span: ReadableSpan): object {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const parent = span.parentSpanContext?.spanId;
  return {
    traceId,
    spanId,
    ...(parent === undefined ? {} : { parentSpanId: parent }),
    name: span.name,
    // OTLP counts from 1: its 0 is "unspecified".
    kind: span.kind + 1,
    startTimeUnixNano: nanoseconds(span.startTime),
    endTimeUnixNano: nanoseconds(span.endTime),
    attributes: keyValues(span.attributes),
    events: span.events.map(({ name, time, attributes }) => ({
      name,
      timeUnixNano: nanoseconds(time),
      attributes: keyValues(attributes ?? {}),
    })),
    links: span.links.map(({ context, attributes }) => ({
      traceId: context.traceId,
      spanId: context.spanId,
      attributes: keyValues(attributes ?? {}),
    })),
    status: span.status,
    flags: traceFlags,
  };
}

function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );
}

function anyValue(value: AttributeValue): object {
  if (Array.isArray(value)) {
    return { arrayValue: { values: value.flatMap((each) => (each == null ? [] : [anyValue(each)])) } };
  }
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { boolValue: value };
    case 'number':
      return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
    default:
      return {};
  }
}

// As text: nanoseconds since 1970 are beyond the integers that JSON's readers hold exactly.
function nanoseconds([seconds, rest]: HrTime): string {
  return `${seconds}${String(rest).padStart(9, '0')}`;
}
