import { type Attributes, currentTraceparent, SpanKind, withSpan } from '@faultline/telemetry';
import type { Incoming } from './batch.js';

interface Traced {
  readonly id: string;
  readonly subject: string;
  readonly traceparent: string | null;
}

/**
 * Handles one message inside its CONSUMER span, child of the span that sent it. The work is told the span's traceparent,
 * which whatever it causes carries on; null when nothing is traced. Names and attributes: OpenTelemetry's semantic
 * conventions for Kafka (in development).
 */
export function whileProcessing<T>(
  { message, record }: Incoming<Traced>,
  work: (traceparent: string | null) => T | Promise<T>,
  attributes: Attributes = {},
): Promise<T> {
  return withSpan(
    `process ${record.topic}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'process',
        'messaging.destination.name': record.topic,
        'messaging.destination.partition.id': String(record.partition),
        'messaging.kafka.offset': Number(record.offset),
        'messaging.message.id': message.id,
        'messaging.message.conversation_id': message.subject,
        'faultline.order_id': message.subject,
        ...attributes,
      },
      parent: message.traceparent,
      links: message.traceparent === null ? [] : [message.traceparent],
    },
    () => work(currentTraceparent() ?? message.traceparent),
  );
}
