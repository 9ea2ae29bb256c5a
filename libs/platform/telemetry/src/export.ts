import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The sampler that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG ask for, by the names of the OpenTelemetry
 * specification. Default: whatever the parent decided, else all. Throws on a value that means nothing.
 */
export function samplerFrom(env: Env): Sampler {
  const name = env['OTEL_TRACES_SAMPLER'] || 'parentbased_traceidratio';
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] || '1');
  if (!(ratio >= 0 && ratio <= 1)) {
    throw new RangeError(
      `OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not ${env['OTEL_TRACES_SAMPLER_ARG']}`,
    );
  }
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  };
  const root = roots[name.replace(/^parentbased_/, '')];
  if (!root)
    throw new RangeError(
      `OTEL_TRACES_SAMPLER is ${name}; known are ${Object.keys(roots).join(', ')}, each also as parentbased_…`,
    );
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root: root() }) : root();
}

/** Sends spans by OTLP over HTTP (JSON) when an endpoint is set; else answers nothing, and spans only carry ids. */
export function exportersFrom(env: Env): SpanProcessor[] {
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (!endpoint || env['OTEL_SDK_DISABLED'] === 'true') return [];
  return [new BatchSpanProcessor({ exporter: new OtlpWhenNeeded() })];
}

type Export = Parameters<SpanExporter['export']>;

/** The exporter costs 18 MB: only a process that exports pays for it. It reads its own OTEL_EXPORTER_OTLP_* settings. */
class OtlpWhenNeeded implements SpanExporter {
  #exporter: Promise<SpanExporter> | undefined;

  export(spans: ReadableSpan[], done: Export[1]): void {
    this.#exporter ??= import('@opentelemetry/exporter-trace-otlp-http').then(
      ({ OTLPTraceExporter }) => new OTLPTraceExporter(),
    );
    this.#exporter.then(
      (exporter) => exporter.export(spans, done),
      (error: unknown) => done({ code: 1, error: error instanceof Error ? error : new Error(String(error)) }),
    );
  }

  async forceFlush(): Promise<void> {
    await (await this.#exporter)?.forceFlush?.();
  }

  async shutdown(): Promise<void> {
    await (await this.#exporter)?.shutdown();
  }
}
