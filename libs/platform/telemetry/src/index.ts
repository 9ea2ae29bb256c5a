export { type Attributes, type Meter, type Span, SpanKind } from '@opentelemetry/api';
export { type Log, logger, silentLog } from './log.js';
export { meter, prometheusText } from './metrics.js';
export {
  describeSpan,
  failSpan,
  noteInSpan,
  type OpenSpan,
  type SpanOptions,
  startSpan,
  withSpan,
  withSpans,
} from './spans.js';
export { startTelemetry, type Telemetry, type TelemetryOptions } from './start.js';
export { currentTraceparent, traceIdOf, traceparentOf } from './traceparent.js';
