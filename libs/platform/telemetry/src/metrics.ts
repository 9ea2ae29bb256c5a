import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

// Made with the module and not at start: an instrument that is created before a provider is registered would
// silently measure nothing, and instruments are best created where they are used, at the top of a file.
const reader = new PrometheusExporter({ preventServerStart: true });
const provider = new MeterProvider({ readers: [reader] });
// Scope and target labels repeat on every line what the scrape's own labels already say.
const serializer = new PrometheusSerializer('', false, undefined, true, true);

/** Where a room creates its instruments. Names as in OpenTelemetry (`faultline.outbox.depth`); the unit goes into the options. */
export function meter(name: string): Meter {
  return provider.getMeter(name);
}

/** All metrics of this process in Prometheus' text format, collected now. An observer that throws loses its own values only. */
export async function prometheusText(): Promise<string> {
  const { resourceMetrics } = await reader.collect();
  return serializer.serialize(resourceMetrics);
}
