import type { ReceivedRecord } from '@faultline/messaging';
import {
  type Attributes,
  currentTraceparent,
  describeSpan,
  failSpan,
  noteInSpan,
  SpanKind,
  startSpan,
} from '@faultline/telemetry';
import { headerText, inboxIdOf, type Outcome } from './inbox.js';

/**
 * The CONSUMER span of one delivery, child of the span that sent it and linked to it. It lasts from when the message is
 * taken until its outcome is committed, over every attempt at its transaction, so that each delivery is one span and a
 * message that comes again shows as `repeated`. Names and attributes: OpenTelemetry's semantic conventions for Kafka (in
 * development).
 */
export class Delivery {
  readonly #opened: ReturnType<typeof startSpan>;
  #outcome: Outcome | 'repeated' | undefined;
  #ended = false;

  constructor(record: ReceivedRecord, consumer: string) {
    const traceparent = headerText(record, 'traceparent');
    const subject = headerText(record, 'ce_subject');
    this.#opened = startSpan(`process ${record.topic}`, {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': record.topic,
        'messaging.destination.partition.id': String(record.partition),
        'messaging.consumer.group.name': consumer,
        'messaging.kafka.offset': Number(record.offset),
        'messaging.message.id': inboxIdOf(record).inboxId,
        'cloudevents.event_type': headerText(record, 'ce_type') ?? 'unknown',
        ...(subject === null
          ? {}
          : { 'messaging.message.conversation_id': subject, 'faultline.order_id': subject }),
      },
      parent: traceparent,
      links: traceparent === null ? [] : [traceparent],
    });
  }

  within<T>(work: () => T): T {
    return this.#opened.within(work);
  }

  /** What a message about this delivery carries on; null when nothing is traced. */
  get traceparent(): string | null {
    return this.within(currentTraceparent);
  }

  /** What the transaction under way makes of the message; counts when it commits. */
  decided(outcome: Outcome | 'repeated', why?: { readonly reason: string; readonly detail: string }): void {
    this.#outcome = outcome;
    if (!why) return;
    this.within(() => {
      noteInSpan('dead-lettered', {
        'faultline.dead_letter.reason': why.reason,
        'faultline.dead_letter.detail': why.detail.slice(0, 1000),
      });
    });
  }

  rolledBack(error: unknown, attempt: number): void {
    this.#outcome = undefined;
    this.within(() => {
      noteInSpan('transaction rolled back', {
        'exception.type': error instanceof Error ? error.name : '_OTHER',
        'exception.message': error instanceof Error ? error.message : String(error),
        'faultline.transaction.attempt': attempt,
      });
    });
  }

  /** The outcome is durable. `together`: how many messages the transaction had. */
  committed(together: number): void {
    if (this.#ended) return;
    this.within(() => {
      describeSpan({ 'faultline.inbox.outcome': this.#outcome ?? 'unknown' });
      noteInSpan('transaction committed', { 'faultline.batch.size': together });
    });
    if (this.#outcome === 'dead-lettered') {
      this.#opened.span.setStatus({ code: 2, message: 'dead-lettered' });
      this.within(() => {
        describeSpan({ 'error.type': 'dead-lettered' });
      });
    }
    this.#end();
  }

  /** The message is still to be handled: it will be delivered again. Nothing happens after the end. */
  abandoned(error: unknown): void {
    if (this.#ended) return;
    failSpan(this.#opened.span, error);
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#opened.span.end();
  }
}

interface Traced {
  readonly message: { readonly traceparent: string | null };
  readonly delivery?: Delivery;
}

/**
 * Decides one message inside the span of its delivery. The work is told the span's traceparent, which whatever it causes
 * carries on; outside of consumeInSteps, where there is no such span, the message's own.
 */
export async function whileProcessing<T>(
  { message, delivery }: Traced,
  work: (traceparent: string | null) => T | Promise<T>,
  attributes: Attributes = {},
): Promise<T> {
  if (!delivery) return work(message.traceparent);
  return delivery.within(() => {
    describeSpan(attributes);
    return work(currentTraceparent() ?? message.traceparent);
  });
}
