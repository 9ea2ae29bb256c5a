import { z } from 'zod';

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;

/** One finished span, as it was exported. Times are milliseconds since the epoch. */
export interface Span {
  readonly service: string;
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: (typeof kinds)[number];
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly SpanEvent[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** What went wrong (status ERROR); null when nothing did. */
  readonly error: string | null;
}

export interface SpanEvent {
  readonly name: string;
  readonly at: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const Value = z.looseObject({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.union([z.number(), z.string()]).optional(),
  /** NaN and the infinities come as text. */
  doubleValue: z.union([z.number(), z.string().transform(Number)]).optional(),
  arrayValue: z.object({ values: z.array(z.unknown()) }).optional(),
});
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .default([])
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, plain(value)])));
// To the microsecond: what a double holds exactly of today's nanoseconds.
const Nanoseconds = z
  .union([z.string(), z.number()])
  .transform((text) => Number(BigInt(text) / 1000n) / 1000);

const OtlpSpan = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.int().default(0),
  startTimeUnixNano: Nanoseconds,
  endTimeUnixNano: Nanoseconds,
  attributes: Attributes,
  events: z
    .array(z.object({ name: z.string(), timeUnixNano: Nanoseconds, attributes: Attributes }))
    .default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.object({ code: z.int().default(0), message: z.string().optional() }).default({ code: 0 }),
});
const TracesData = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(OtlpSpan) })),
    }),
  ),
});

/** The spans of one OTLP export in JSON: the body of a request, or a line of a file. Throws on anything else. */
export function spansOf(otlp: unknown): Span[] {
  return TracesData.parse(otlp).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span): Span => {
        const { traceId, spanId, name, attributes, links, status } = span;
        return {
          service: textOf(resource.attributes, 'service.name') ?? 'unknown',
          instance: textOf(resource.attributes, 'service.instance.id') ?? 'unknown',
          traceId,
          spanId,
          parentSpanId: span.parentSpanId || null,
          name,
          kind: kinds[span.kind] ?? 'UNSPECIFIED',
          start: span.startTimeUnixNano,
          end: span.endTimeUnixNano,
          attributes,
          events: span.events.map((event) => ({
            name: event.name,
            at: event.timeUnixNano,
            attributes: event.attributes,
          })),
          links,
          error: status.code === 2 ? (status.message ?? '') : null,
        };
      }),
  );
}

function plain(value: z.infer<typeof Value>): unknown {
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue) return value.arrayValue.values.map((each) => plain(Value.parse(each)));
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}

/** An attribute as text; null when it is not there. */
export function attributeOf(span: Span, name: string): string | null {
  return textOf(span.attributes, name);
}

function textOf(attributes: Span['attributes'], name: string): string | null {
  const value = attributes[name];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : null;
}
