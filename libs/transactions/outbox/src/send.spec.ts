import type { OutgoingRecord, Producer } from '@faultline/messaging';
import { describe, expect, it } from '@jest/globals';
import { context, SpanKind, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { sendTraced } from './send.js';

const stored = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const record = (headers: Record<string, string>): OutgoingRecord => ({
  topic: 'events',
  partition: 1,
  key: 'order-1',
  value: null,
  headers: {
    ce_id: 'id-1',
    ce_type: 'noted.v1',
    ce_subject: 'order-1',
    ce_correlationid: 'order-1',
    ...headers,
  },
});
const producerOf = (sent: OutgoingRecord[]): Producer => ({
  connect: async () => undefined,
  close: async () => undefined,
  send: async (records) => void sent.push(...records),
});

describe('sending', () => {
  it('leaves the stored traceparent alone while nothing is traced', async () => {
    const sent: OutgoingRecord[] = [];
    await sendTraced(producerOf(sent), [record({ traceparent: stored }), record({})]);
    expect(sent.map(({ headers }) => headers['traceparent'])).toEqual([stored, undefined]);
  });

  it('makes a PRODUCER span below the stored one and sends its traceparent on', async () => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(
      new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
    );
    try {
      const sent: OutgoingRecord[] = [];
      await sendTraced(producerOf(sent), [record({ traceparent: stored })]);
      const [span] = exporter.getFinishedSpans();
      expect(span).toMatchObject({
        name: 'send events',
        kind: SpanKind.PRODUCER,
        attributes: {
          'messaging.system': 'kafka',
          'messaging.operation.name': 'send',
          'messaging.operation.type': 'send',
          'messaging.destination.name': 'events',
          'messaging.destination.partition.id': '1',
          'messaging.message.id': 'id-1',
          'messaging.message.conversation_id': 'order-1',
          'cloudevents.event_type': 'noted.v1',
          'faultline.order_id': 'order-1',
        },
      });
      expect(span?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
      expect(sent[0]?.headers['traceparent']).toBe(
        `00-0af7651916cd43dd8448eb211c80319c-${span?.spanContext().spanId ?? ''}-01`,
      );
    } finally {
      trace.disable();
      context.disable();
    }
  });
});
