/** The envelope of every message: CloudEvents 1.0 with the extensions of the contract. */
export interface Envelope {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  /** The order. */
  readonly subject: string;
  /** ISO 8601. */
  readonly time: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  /** Epoch milliseconds by the sender's database; null when the message never expires. */
  readonly deadline: number | null;
  /** W3C Trace Context. */
  readonly traceparent: string | null;
}

/** Headers of Kafka's binary content mode (CloudEvents, Kafka Protocol Binding 1.0.2, section 3.2). */
export function encodeHeaders(envelope: Envelope): Record<string, string> {
  return {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: envelope.id,
    ce_type: envelope.type,
    ce_source: envelope.source,
    ce_subject: envelope.subject,
    ce_time: envelope.time,
    ce_correlationid: envelope.correlationId,
    ...(envelope.causationId === null ? {} : { ce_causationid: envelope.causationId }),
    ...(envelope.deadline === null ? {} : { ce_deadline: new Date(envelope.deadline).toISOString() }),
    ...(envelope.traceparent === null ? {} : { traceparent: envelope.traceparent }),
  };
}

/** The envelope, or what is wrong with it. Never throws: the bytes come from outside. */
export function decodeHeaders(
  headers: Readonly<Record<string, Buffer>>,
): Envelope | { readonly invalid: string } {
  const text = (name: string): string | null => headers[name]?.toString('utf8') ?? null;
  const required = [
    'ce_specversion',
    'ce_id',
    'ce_type',
    'ce_source',
    'ce_subject',
    'ce_time',
    'ce_correlationid',
  ];
  const missing = required.filter((name) => !text(name));
  if (missing.length > 0) return { invalid: `missing headers: ${missing.join(', ')}` };
  if (text('ce_specversion') !== '1.0')
    return { invalid: `ce_specversion is ${text('ce_specversion') ?? ''}` };
  const time = text('ce_time') ?? '';
  if (Number.isNaN(Date.parse(time))) return { invalid: 'ce_time is no instant' };
  const deadlineText = text('ce_deadline');
  const deadline = deadlineText === null ? null : Date.parse(deadlineText);
  if (Number.isNaN(deadline)) return { invalid: 'ce_deadline is no instant' };
  return {
    id: text('ce_id') ?? '',
    type: text('ce_type') ?? '',
    source: text('ce_source') ?? '',
    subject: text('ce_subject') ?? '',
    time,
    correlationId: text('ce_correlationid') ?? '',
    causationId: text('ce_causationid'),
    deadline,
    traceparent: text('traceparent'),
  };
}
