import type { Span } from './span.js';

const begun = Date.parse('2026-01-01T12:00:00.000Z');

/** A span of 2026-01-01, 12 o'clock, `from` and `to` in milliseconds after it. */
export function aSpan(
  spanId: string,
  parentSpanId: string | null,
  [service, name]: readonly [string, string],
  [from, to]: readonly [number, number],
  more: Partial<Span> = {},
): Span {
  const kind = name.startsWith('send ')
    ? 'PRODUCER'
    : name.startsWith('process ')
      ? 'CONSUMER'
      : name.startsWith('POST ')
        ? 'SERVER'
        : 'INTERNAL';
  return {
    service,
    instance: `${service}-1`,
    traceId: 't1',
    spanId,
    parentSpanId,
    name,
    kind,
    start: begun + from,
    end: begun + to,
    attributes: {},
    events: [],
    links: kind === 'CONSUMER' && parentSpanId !== null ? [{ traceId: 't1', spanId: parentSpanId }] : [],
    error: null,
    ...more,
  };
}

export const at = (milliseconds: number): string => new Date(begun + milliseconds).toISOString();

/** What a message's spans say of it. */
export const message = (
  id: string,
  type: string,
  more: Record<string, string | number> = {},
): Pick<Span, 'attributes'> => ({
  attributes: { 'messaging.message.id': id, 'cloudevents.event_type': type, ...more },
});

const authorize = 'faultline.payment.authorize-payment.v1';

/** An order whose payment was silent for ten seconds: the second attempt is answered, and the order approved. */
export const retried: readonly Span[] = [
  aSpan('post', null, ['order', 'POST /orders'], [0, 10_080], {
    attributes: { 'http.response.status_code': 200 },
  }),
  aSpan('accept', 'post', ['order', 'accept order'], [2, 10]),
  aSpan('send1', 'accept', ['order', 'send payment.commands'], [12, 16], message('m1', authorize)),
  aSpan('due', 'accept', ['order', 'due-work saga'], [10_010, 10_015]),
  aSpan('send2', 'due', ['order', 'send payment.commands'], [10_016, 10_020], message('m2', authorize)),
  aSpan(
    'process2',
    'send2',
    ['payment', 'process payment.commands'],
    [10_024, 10_034],
    message('m2', authorize, {
      'faultline.command': 'authorize-payment',
      'faultline.attempt': 2,
      'faultline.outcome': 'DONE',
      'faultline.inbox.outcome': 'applied',
    }),
  ),
  aSpan(
    'reply',
    'process2',
    ['payment', 'send order.replies'],
    [10_036, 10_040],
    message('m3', 'faultline.participant.command-done.v1'),
  ),
  aSpan('decide', 'reply', ['order', 'process order.replies'], [10_045, 10_060], {
    ...message('m3', 'faultline.participant.command-done.v1', {
      'faultline.command': 'authorize-payment',
      'faultline.attempt': 2,
      'faultline.outcome': 'done',
      'faultline.inbox.outcome': 'applied',
    }),
    events: [{ name: 'order approved', at: begun + 10_050, attributes: {} }],
  }),
];
