import { describe, expect, it } from '@jest/globals';
import { complaintsAbout } from './complaints.js';
import type { Span } from './span.js';
import { aSpan } from './spans.spec-data.js';

const order = 'o1';
const http = {
  'http.request.method': 'POST',
  'url.path': '/orders',
  'url.scheme': 'http',
  'http.route': '/orders',
  'http.response.status_code': 202,
};
const messaging = (operation: string, topic: string, id: string): Record<string, string | number> => ({
  'messaging.system': 'kafka',
  'messaging.operation.name': operation,
  'messaging.operation.type': operation,
  'messaging.destination.name': topic,
  'messaging.destination.partition.id': '0',
  'messaging.message.id': id,
  'messaging.message.conversation_id': order,
  'cloudevents.event_type': 'x',
  'faultline.order_id': order,
});
const taken = (
  topic: string,
  id: string,
  group: string,
  outcome: string,
): Record<string, string | number> => ({
  ...messaging('process', topic, id),
  'messaging.consumer.group.name': group,
  'messaging.kafka.offset': 1,
  'faultline.inbox.outcome': outcome,
});

const post = aSpan('post', null, ['order', 'POST /orders'], [0, 50], { attributes: http });
const accept = aSpan('accept', 'post', ['order', 'accept order'], [1, 5], {
  attributes: { 'faultline.order_id': order },
});
const send = aSpan('send', 'accept', ['order', 'send payment.commands'], [6, 8], {
  attributes: messaging('send', 'payment.commands', 'm1'),
});
const process = aSpan('process', 'send', ['payment', 'process payment.commands'], [9, 12], {
  attributes: taken('payment.commands', 'm1', 'payment', 'applied'),
});
const reply = aSpan('reply', 'process', ['payment', 'send order.replies'], [13, 14], {
  attributes: messaging('send', 'order.replies', 'm2'),
});
const sound = [post, accept, send, process, reply];
const changed = (span: Span, change: Partial<Span>): Span[] =>
  sound.map((each) => (each === span ? { ...each, ...change } : each));
const without = (...gone: Span[]): Span[] => sound.filter((span) => !gone.includes(span));

describe('the shape of a trace', () => {
  it('is right', () => {
    expect(complaintsAbout(order, sound)).toEqual([]);
  });

  it.each<[string, readonly Span[], RegExp]>([
    ['a second trace', changed(reply, { traceId: 't2' }), /2 traces/],
    ['a span twice', [...sound, send], /exported twice/],
    [
      'another root',
      [...sound, aSpan('due', null, ['order', 'due-work saga'], [1, 2])],
      /roots: .*due-work saga/,
    ],
    ['no root', without(post), /order: accept order: its parent is missing/],
    ['a parent that is not there', without(process), /send order.replies: its parent is missing/],
    ['a child before its parent', changed(send, { start: 0 }), /payment.commands: begins before its parent/],
    ['an end before its beginning', changed(send, { end: 0 }), /ends before it begins/],
    ['another order', changed(accept, { attributes: { 'faultline.order_id': 'o2' } }), /belongs to order o2/],
    ['an attribute missing', changed(accept, { attributes: {} }), /accept order: lacks faultline.order_id/],
    [
      'a name beside the convention',
      changed(send, { name: 'publish' }),
      /publish: is not send payment.commands/,
    ],
    ['a route beside the name', changed(post, { name: 'POST /orders/1' }), /is not POST \/orders/],
    [
      'a row without its operation',
      changed(send, { parentSpanId: 'post' }),
      /not below the operation .* POST/,
    ],
    ['a delivery without a link', changed(process, { links: [] }), /linked to nothing/],
    [
      'a link to something else',
      changed(process, { links: [{ traceId: 't1', spanId: 'accept' }] }),
      /linked to t1\/accept instead/,
    ],
    [
      'a delivery below the wrong message',
      changed(process, { attributes: taken('payment.commands', 'm9', 'payment', 'applied') }),
      /is not below what sent it, but below order: send payment.commands/,
    ],
    ['a second effect', [...sound, { ...process, spanId: 'again' }], /payment m1: applied, applied/],
    [
      'an outcome that nobody knows',
      changed(process, { attributes: taken('payment.commands', 'm1', 'payment', 'lost') }),
      /payment m1: lost/,
    ],
  ])('complains of %s', (_, spans, complaint) => {
    expect(complaintsAbout(order, spans).join('\n')).toMatch(complaint);
  });

  it('takes a repetition, and a delivery that failed before, for what they are', () => {
    const again = (spanId: string, outcome: string): Span => ({
      ...process,
      spanId,
      attributes: taken('payment.commands', 'm1', 'payment', outcome),
    });
    expect(complaintsAbout(order, [...sound, again('a', 'repeated'), again('b', 'failed')])).toEqual([]);
    // Another consumer of the same message has an effect of its own.
    const other = {
      ...process,
      spanId: 'c',
      attributes: taken('payment.commands', 'm1', 'audit', 'applied'),
    };
    expect(complaintsAbout(order, [...sound, other])).toEqual([]);
  });

  it('excuses what a killed service took along, and nothing else', () => {
    expect(complaintsAbout(order, without(post, accept, send), { killed: ['order'] })).toEqual([]);
    expect(complaintsAbout(order, without(process), { killed: ['payment'] })).toEqual([]);
    expect(complaintsAbout(order, without(process), { killed: ['order'] })).toHaveLength(1);
    expect(complaintsAbout(order, without(send), { killed: ['payment'] })).toHaveLength(1);
  });
});
