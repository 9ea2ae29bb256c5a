import { attributeOf, type Span } from './span.js';

/** What every span of a kind has to say, by the semantic conventions for HTTP and messaging and by ours. */
const required: Partial<Record<Span['kind'], readonly string[]>> = {
  SERVER: ['http.request.method', 'url.path', 'url.scheme', 'http.route', 'http.response.status_code'],
  CLIENT: ['http.request.method', 'url.full', 'server.address', 'server.port', 'http.response.status_code'],
  PRODUCER: [
    'messaging.system',
    'messaging.operation.name',
    'messaging.operation.type',
    'messaging.destination.name',
    'messaging.destination.partition.id',
    'messaging.message.id',
    'messaging.message.conversation_id',
    'cloudevents.event_type',
    'faultline.order_id',
  ],
  CONSUMER: [
    'messaging.system',
    'messaging.operation.name',
    'messaging.operation.type',
    'messaging.destination.name',
    'messaging.destination.partition.id',
    'messaging.consumer.group.name',
    'messaging.kafka.offset',
    'messaging.message.id',
    'messaging.message.conversation_id',
    'cloudevents.event_type',
    'faultline.order_id',
  ],
  INTERNAL: ['faultline.order_id'],
};
const operations = /^(accept order|due-work saga|operator (resume|compensate|skip)|process )/;

export interface ComplaintOptions {
  /** The services of which a process was killed: what it had not exported yet is missing, and only that. */
  readonly killed?: readonly string[];
}

/**
 * What is wrong with the shape of one order's trace; empty when nothing is. A missing parent is accepted when the span
 * that names it shows that it was a span of a killed service: the parent of what a relay sends, or of a call's answer, is
 * of its own service; that of a `process` is of the service that sends on this topic.
 */
export function complaintsAbout(
  orderId: string,
  spans: readonly Span[],
  { killed = [] }: ComplaintOptions = {},
): string[] {
  const known = new Map(spans.map((span) => [span.spanId, span]));
  const complaints: string[] = [];
  const complain = (span: Span, what: string): void => {
    complaints.push(`${nameOf(span)}: ${what}`);
  };
  const traces = new Set(spans.map(({ traceId }) => traceId));
  if (traces.size !== 1) complaints.push(`${traces.size} traces`);
  if (known.size !== spans.length) complaints.push('a span was exported twice');
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === null);
  if (
    roots.map(({ name }) => name).join() !== 'POST /orders' &&
    !(roots.length === 0 && killed.includes('order'))
  )
    complaints.push(`roots: ${roots.map(nameOf).join(', ')}`);

  for (const span of spans) {
    const parent = span.parentSpanId === null ? undefined : known.get(span.parentSpanId);
    if (span.parentSpanId !== null && !parent && !killed.includes(parentService(span)))
      complain(span, 'its parent is missing');
    if (parent && span.start < parent.start - 1) complain(span, `begins before its parent ${nameOf(parent)}`);
    if (span.end < span.start) complain(span, 'ends before it begins');
    for (const name of required[span.kind] ?? [`a kind, which ${span.kind} is not`])
      if (attributeOf(span, name) === null) complain(span, `lacks ${name}`);
    const order = attributeOf(span, 'faultline.order_id');
    if (order !== null && order !== orderId) complain(span, `belongs to order ${order}`);
    if (span.kind === 'PRODUCER') producer(span, parent, complain);
    if (span.kind === 'CONSUMER') consumer(span, parent, complain);
    if (span.kind === 'SERVER' || span.kind === 'CLIENT') http(span, complain);
  }
  return [...complaints, ...effects(spans)];
}

type Complain = (span: Span, what: string) => void;

function producer(span: Span, parent: Span | undefined, complain: Complain): void {
  const topic = attributeOf(span, 'messaging.destination.name') ?? '';
  if (span.name !== `send ${topic}`) complain(span, `is not send ${topic}`);
  if (attributeOf(span, 'messaging.operation.type') !== 'send') complain(span, 'does not send');
  if (!parent) return;
  // A dead letter keeps its headers as they came, and so the span that sent them.
  if (topic.endsWith('.dlt')) {
    if (parent.name !== `send ${topic.slice(0, -'.dlt'.length)}`)
      complain(span, `is below ${nameOf(parent)}`);
    return;
  }
  if (!operations.test(parent.name) || parent.service !== span.service)
    complain(span, `is not below the operation that wrote its row, but below ${nameOf(parent)}`);
}

function consumer(span: Span, parent: Span | undefined, complain: Complain): void {
  const topic = attributeOf(span, 'messaging.destination.name') ?? '';
  if (span.name !== `process ${topic}`) complain(span, `is not process ${topic}`);
  if (attributeOf(span, 'messaging.operation.type') !== 'process') complain(span, 'does not process');
  const links = span.links.map(({ traceId, spanId }) => `${traceId}/${spanId}`);
  if (links.join() !== `${span.traceId}/${span.parentSpanId ?? ''}`)
    complain(span, `is linked to ${links.join() || 'nothing'} instead of what sent it`);
  if (!parent) return;
  const sameMessage =
    attributeOf(parent, 'messaging.message.id') === attributeOf(span, 'messaging.message.id');
  if (parent.kind !== 'PRODUCER' || parent.name !== `send ${topic}` || !sameMessage)
    complain(span, `is not below what sent it, but below ${nameOf(parent)}`);
}

function http(span: Span, complain: Complain): void {
  const method = attributeOf(span, 'http.request.method') ?? '';
  const target = attributeOf(span, span.kind === 'SERVER' ? 'http.route' : 'url.template') ?? '';
  if (span.name !== `${method} ${target}`) complain(span, `is not ${method} ${target}`);
}

/** Each message takes effect once in each consumer; whatever else is delivered says that it is a repetition, or failed. */
function effects(spans: readonly Span[]): string[] {
  const deliveries = spans.filter(({ kind }) => kind === 'CONSUMER');
  return [
    ...Map.groupBy(
      deliveries,
      (span) =>
        `${attributeOf(span, 'messaging.consumer.group.name')} ${attributeOf(span, 'messaging.message.id')}`,
    ),
  ].flatMap(([message, all]) => {
    const outcomes = all.map((span) => attributeOf(span, 'faultline.inbox.outcome') ?? 'failed');
    const unknown = outcomes.filter(
      (outcome) => !/^(applied|expired|ignored|dead-lettered|repeated|failed)$/.test(outcome),
    );
    const effective = outcomes.filter((outcome) => outcome !== 'repeated' && outcome !== 'failed');
    return effective.length > 1 || unknown.length > 0 ? [`${message}: ${outcomes.join(', ')}`] : [];
  });
}

function parentService(span: Span): string {
  // The neighbours are called by the order service alone.
  if (span.kind === 'SERVER') return 'order';
  if (span.kind !== 'CONSUMER') return span.service;
  const topic = attributeOf(span, 'messaging.destination.name') ?? '';
  if (topic !== 'order.replies') return 'order';
  const type = attributeOf(span, 'faultline.command') ?? '';
  return type.endsWith('-stock') ? 'inventory' : 'payment';
}

/** `inventory: process inventory.commands` */
export function nameOf(span: Span): string {
  return `${span.service}: ${span.name}`;
}
