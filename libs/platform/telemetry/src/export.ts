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
import { TraceFiles } from './trace-files.js';

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

/** Whether this sampler never samples below a span that is not sampled itself. */
export function staysUnsampled(env: Env): boolean {
  const name = env['OTEL_TRACES_SAMPLER'] || 'parentbased_traceidratio';
  return name.startsWith('parentbased_') || name === 'always_off';
}

export interface Exporting {
  /** Names this replica. */
  readonly instance: string;
  /** Hears of it when traces cannot be written to disk. */
  readonly trouble: (error: unknown) => void;
}

/**
 * Where finished spans go: by OTLP over HTTP (JSON) when OTEL_EXPORTER_OTLP_ENDPOINT is set, into files when
 * FAULTLINE_TRACES names a folder, or both. Nowhere with OTEL_TRACES_EXPORTER=none or OTEL_SDK_DISABLED=true: then spans
 * only carry ids.
 */
export function exportersFrom(env: Env, { instance, trouble }: Exporting): SpanProcessor[] {
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return [];
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const folder = env['FAULTLINE_TRACES'];
  return [
    ...(endpoint ? [new BatchSpanProcessor({ ...batching(env, 5000), exporter: new OtlpWhenNeeded() })] : []),
    // Soon: what lies in memory is what a kill takes along.
    ...(folder
      ? [
          new BatchSpanProcessor({
            ...batching(env, 1000),
            exporter: new TraceFiles({ folder, instance, trouble }),
          }),
        ]
      : []),
  ];
}

/** The processor does not read its settings from the environment by itself. */
function batching(env: Env, delay: number) {
  const setting = (name: string, otherwise: number): number => {
    const value = Number(env[name] || otherwise);
    if (value > 0) return value;
    throw new RangeError(`${name} must be a number above 0, not ${env[name]}`);
  };
  return {
    scheduledDelayMillis: setting('OTEL_BSP_SCHEDULE_DELAY', delay),
    maxQueueSize: setting('OTEL_BSP_MAX_QUEUE_SIZE', 2048),
    maxExportBatchSize: setting('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
    exportTimeoutMillis: setting('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  };
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
