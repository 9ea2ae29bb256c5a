import { context, trace } from '@opentelemetry/api';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';
import { exportersFrom, samplerFrom, staysUnsampled } from './export.js';
import { keepUnsampled } from './spans.js';
import { logger } from './log.js';

export interface TelemetryOptions {
  readonly service: string;
  /** Names this replica: `order-1`. */
  readonly instance: string;
  /** Where finished spans go instead of where the environment says: for tests. */
  readonly spanProcessors?: readonly SpanProcessor[];
}

export interface Telemetry {
  /** Sends what is still buffered; waits for it 3 s at most, so that an absent collector does not hold up the end. */
  shutdown(): Promise<void>;
}

let started = 0;

/**
 * Starts tracing in this process. Spans are made by hand (docs/adr/0006): nothing is patched, so it may be called at
 * any time before the first request. OTLP goes out only when OTEL_EXPORTER_OTLP_ENDPOINT is set, and files are written
 * only when FAULTLINE_TRACES names their folder; without either, spans still have valid ids, which travel in
 * `traceparent` and `x-trace-id`. Sampling: OTEL_TRACES_SAMPLER(_ARG), by default parent-based and all. Several services
 * in one process, as in tests, share the first one's provider.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  started += 1;
  const sdk = started === 1 ? register(options) : undefined;
  let stopped = false;
  return {
    async shutdown() {
      if (stopped) return;
      stopped = true;
      started -= 1;
      if (started === 0) {
        trace.disable();
        context.disable();
      }
      if (!sdk) return;
      const patience = new Promise<void>((resolve) => setTimeout(resolve, 3000).unref());
      await Promise.race([sdk.shutdown().catch(() => undefined), patience]);
    },
  };
}

function register({ service, instance, spanProcessors }: TelemetryOptions): NodeSDK {
  const exporters =
    spanProcessors ??
    exportersFrom(process.env, {
      instance,
      trouble: (error) =>
        logger(service, instance).warn({ err: error }, 'spans cannot be written to disk: they are lost'),
    });
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({ [ATTR_SERVICE_NAME]: service, [ATTR_SERVICE_INSTANCE_ID]: instance }),
    ),
    autoDetectResources: false,
    sampler: samplerFrom(process.env),
    // Without any processor the SDK would register no tracer, and spans would have no ids.
    spanProcessors: exporters.length > 0 ? [...exporters] : [toNowhere],
    // Logs go to files, and metrics are read at /metrics (metrics.ts).
    logRecordProcessors: [],
    metricReaders: [],
    textMapPropagator: null,
  });
  sdk.start();
  keepUnsampled(staysUnsampled(process.env));
  return sdk;
}

const toNowhere: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};
