import { describe, expect, it } from '@jest/globals';
import { CloudEvent, Kafka as KafkaBinding } from 'cloudevents';
import { decodeHeaders, encodeHeaders, type Envelope } from './cloud-events.js';

const envelope: Envelope = {
  id: '01900000-0000-7000-8000-000000000002',
  type: 'faultline.inventory.reserve-stock.v1',
  source: '/order',
  subject: '01900000-0000-7000-8000-000000000001',
  time: '2026-01-01T00:00:00.000Z',
  correlationId: '01900000-0000-7000-8000-000000000001',
  causationId: '01900000-0000-7000-8000-000000000003',
  deadline: Date.parse('2026-01-01T00:02:00.000Z'),
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const bytes = (headers: Readonly<Record<string, string>>): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));

describe('CloudEvents headers', () => {
  it('come back as they went, with and without what is optional', () => {
    expect(decodeHeaders(bytes(encodeHeaders(envelope)))).toEqual(envelope);
    const bare = { ...envelope, causationId: null, deadline: null, traceparent: null };
    expect(decodeHeaders(bytes(encodeHeaders(bare)))).toEqual(bare);
  });

  it("are what the CloudEvents project's own library writes", () => {
    const theirs = KafkaBinding.binary(
      new CloudEvent({
        id: envelope.id,
        type: envelope.type,
        source: envelope.source,
        subject: envelope.subject,
        time: envelope.time,
        datacontenttype: 'application/json',
        correlationid: envelope.correlationId,
        causationid: envelope.causationId ?? '',
        deadline: new Date(envelope.deadline ?? 0).toISOString(),
        data: {},
      }),
    ).headers;
    const { traceparent: _, 'content-type': __, ...ours } = encodeHeaders(envelope);
    expect(theirs).toMatchObject(ours);
  });

  it('are refused with the reason when something is missing or no instant', () => {
    expect(decodeHeaders({})).toEqual({ invalid: expect.stringContaining('ce_id') });
    expect(decodeHeaders(bytes({ ...encodeHeaders(envelope), ce_time: 'soon' }))).toEqual({
      invalid: 'ce_time is no instant',
    });
    expect(decodeHeaders(bytes({ ...encodeHeaders(envelope), ce_deadline: 'soon' }))).toEqual({
      invalid: 'ce_deadline is no instant',
    });
    expect(decodeHeaders(bytes({ ...encodeHeaders(envelope), ce_specversion: '2.0' }))).toHaveProperty(
      'invalid',
    );
  });
});
