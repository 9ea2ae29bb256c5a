import { logger, startTelemetry, traceparentOf, withSpan } from '@faultline/telemetry';
import { afterAll, expect, it } from '@jest/globals';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { aFault } from './a-fault.spec-data.js';
import { telling } from './telling.js';

const exporter = new InMemorySpanExporter();
const telemetry = startTelemetry({
  service: 'tea',
  instance: 'tea-1',
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
});
const lines: Record<string, unknown>[] = [];
const tell = telling(
  logger('tea', 'tea-1', { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
);
const ended = new AbortController().signal;

afterAll(() => telemetry.shutdown());

it('a strike is an event of the span in which it happens, and a line in the log with its trace', async () => {
  const fault = aFault({ name: 'slow', at: 'http-in', kind: 'latency', milliseconds: 200 });
  const traceId = await withSpan('a request', {}, (span) => {
    tell({ fault, ended }, [{ orderId: 'an-order' }]);
    return span.spanContext().traceId;
  });
  expect(lines.splice(0)).toMatchObject([
    {
      level: 'warn',
      msg: 'fault struck',
      fault: 'slow',
      at: 'http-in',
      kind: 'latency',
      order_id: 'an-order',
      trace_id: traceId,
    },
  ]);
  const span = exporter.getFinishedSpans().find(({ name }) => name === 'a request');
  expect(span?.events).toMatchObject([
    {
      name: 'fault struck',
      attributes: { 'faultline.fault.name': 'slow', 'faultline.fault.milliseconds': 200 },
    },
  ]);
});

it('a strike of a batch is seen in the trace of each message that it concerns', async () => {
  const fault = aFault({ name: 'twice', at: 'consume', kind: 'duplicate' });
  const traceparent = await withSpan('a sender', {}, (span) => traceparentOf(span.spanContext()));
  tell({ fault, ended }, [{ orderId: 'one', traceparent }, { orderId: 'two' }, { orderId: 'one' }]);
  expect(lines.splice(0)).toMatchObject([{ fault: 'twice', order_ids: ['one', 'two'] }]);
  const span = exporter.getFinishedSpans().find(({ name }) => name === 'fault duplicate');
  expect(span?.spanContext().traceId).toBe(traceparent.split('-')[1]);
  expect(span?.events).toMatchObject([{ name: 'fault struck' }]);
});
