import { encodeHeaders, type ReceivedRecord } from '@faultline/messaging';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { messageDecoder } from './decode.js';

const body = z.object({ quantity: z.int() });
const decode = messageDecoder([{ type: 'faultline.test.count.v1', topic: 'counts', body }]);

const record = (
  change: Partial<ReceivedRecord> = {},
  headers: Record<string, string | null> = {},
): ReceivedRecord => {
  const all: Record<string, string | null> = {
    ...encodeHeaders({
      id: '01890a5d-ac96-774b-bcce-b302099a8057',
      type: 'faultline.test.count.v1',
      source: '/test',
      subject: 'order-1',
      time: '2026-01-01T00:00:00.000Z',
      correlationId: 'order-1',
      causationId: null,
      deadline: null,
      traceparent: null,
    }),
    ...headers,
  };
  const given = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : [[name, Buffer.from(value)]],
  );
  return {
    topic: 'counts',
    partition: 2,
    offset: '17',
    key: Buffer.from('order-1'),
    value: Buffer.from('{"quantity":3}'),
    headers: Object.fromEntries(given) as Record<string, Buffer>,
    ...change,
  };
};

describe('reading a record', () => {
  it('answers envelope, kind and typed body', () => {
    const decoded = decode(record());
    expect(decoded).toMatchObject({
      inboxId: '01890a5d-ac96-774b-bcce-b302099a8057',
      message: { subject: 'order-1', kind: { topic: 'counts' }, body: { quantity: 3 } },
    });
    // The type follows from the kind's schema.
    if ('message' in decoded) expect(decoded.message.body.quantity + 1).toBe(4);
  });

  it.each([
    ['UNKNOWN_TYPE', record({}, { ce_type: 'faultline.test.other.v1' })],
    ['UNKNOWN_VERSION', record({}, { ce_type: 'faultline.test.count.v2' })],
    ['UNKNOWN_TYPE', record({ topic: 'elsewhere' })],
    ['NOT_JSON', record({ value: Buffer.from('{"quantity":') })],
    ['NOT_JSON', record({ value: Buffer.from([0x22, 0xff, 0x22]) })],
    ['NOT_JSON', record({ value: null })],
    ['NOT_JSON', record({ value: Buffer.alloc(1024 * 1024, 'x') })],
    ['INVALID_BODY', record({ value: Buffer.from('{"quantity":"three"}') })],
    ['INVALID_ENVELOPE', record({}, { ce_specversion: '0.3' })],
    ['INVALID_ENVELOPE', record({}, { ce_deadline: 'soon' })],
    ['NO_ID', record({}, { ce_id: null })],
    ['NO_ID', record({}, { ce_id: '' })],
    ['NO_ID', record({}, { ce_id: 'a\u0000b' })],
  ])('answers %s, and does not throw', (reason, given) => {
    expect(decode(given)).toMatchObject({ reason, orderId: 'order-1' });
  });

  it('knows a message without an id by its place in the log, and again by the id a redrive carries', () => {
    expect(decode(record({}, { ce_id: null })).inboxId).toBe('counts/2/17');
    const again = record({ offset: '99' }, { ce_id: null, faultline_redrive_id: 'counts/2/17' });
    expect(decode(again).inboxId).toBe('counts/2/17');
  });

  it('takes no id that could be mistaken for a place in the log', () => {
    expect(decode(record({}, { ce_id: 'counts/2/16' }))).toMatchObject({
      reason: 'NO_ID',
      inboxId: 'counts/2/17',
    });
  });
});
