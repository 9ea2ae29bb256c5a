import { createRequire } from 'node:module';
import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';

export type Log = Logger;

/**
 * The log of one process: JSON lines on stdout, each with time (ISO), level (a word), service, instance, and trace_id
 * and span_id inside a span; short and coloured when stdout is a terminal. LOG_LEVEL sets the least level (info).
 * A line is an event with fields: `log.warn({ order_id, attempt }, 'command repeated')`. An error goes in as `err`.
 */
export function logger(service: string, instance: string, destination?: DestinationStream): Log {
  const stream = destination ?? (process.stdout.isTTY ? terminal() : undefined);
  const options = {
    level: process.env['LOG_LEVEL'] || 'info',
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin() {
      const span = trace.getActiveSpan()?.spanContext();
      return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
    },
  };
  return stream ? pino(options, stream) : pino(options);
}

/** A log that keeps everything to itself. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}

function terminal(): DestinationStream {
  // Loaded only here: a service that logs to a file never needs it.
  const pretty = createRequire(import.meta.url)('pino-pretty') as (
    options: PrettyOptions,
  ) => DestinationStream;
  return pretty({
    colorize: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,service,span_id',
    singleLine: true,
    sync: true,
  });
}
