import type { OutgoingRecord, Producer } from '@faultline/messaging';
import { failSpan, type Span, SpanKind, startSpan, traceparentOf } from '@faultline/telemetry';

/**
 * Sends within one PRODUCER span per record, each the child of the span that wrote the row: the relay's own context
 * means nothing to the order. What is not sampled goes out under the traceparent it was stored with.
 */
export async function sendTraced(producer: Producer, records: readonly OutgoingRecord[]): Promise<void> {
  const spans: Span[] = [];
  const traced = records.map((record) => {
    const { traceparent } = record.headers;
    if (typeof traceparent !== 'string') return record;
    const { span } = startSpan(`send ${record.topic}`, {
      kind: SpanKind.PRODUCER,
      parent: traceparent,
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': record.topic,
        'messaging.destination.partition.id': String(record.partition),
        'messaging.message.id': String(record.headers['ce_id']),
        'messaging.message.conversation_id': String(record.headers['ce_correlationid']),
        'cloudevents.event_type': String(record.headers['ce_type']),
        'faultline.order_id': String(record.headers['ce_subject']),
        // One request carries them all: what this send took, it took together with so many others.
        'faultline.relay.batch_size': records.length,
      },
    });
    if (!span.isRecording()) return record;
    spans.push(span);
    return { ...record, headers: { ...record.headers, traceparent: traceparentOf(span.spanContext()) } };
  });
  try {
    await producer.send(traced);
  } catch (error) {
    for (const span of spans) failSpan(span, error);
    throw error;
  } finally {
    for (const span of spans) span.end();
  }
}
