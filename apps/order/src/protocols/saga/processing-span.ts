import type { Incoming } from '@faultline/outbox';
import { currentTraceparent, SpanKind, withSpan } from '@faultline/telemetry';
import type { Reply } from './saga-step.js';

/**
 * Handles one message inside its CONSUMER span; the work is told the span's traceparent, which what it causes carries on.
 * Names and attributes: OpenTelemetry's semantic conventions for Kafka (in development).
 */
export function whileProcessing(
  { message, record }: Incoming<Reply>,
  work: (traceparent: string | null) => Promise<void>,
): Promise<void> {
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
      },
      ...(message.traceparent === null ? {} : { parent: message.traceparent, links: [message.traceparent] }),
    },
    () => work(currentTraceparent() ?? message.traceparent),
  );
}
