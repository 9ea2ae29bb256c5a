import { describe, expect, it } from '@jest/globals';
import { FaultBody } from './fault.js';
import { complaintsAbout, offersOf } from './offers.js';

const payment = offersOf(
  ['http-in', 'http-out', 'database', 'produce', 'consume', 'process'],
  ['payment-gateway'],
);
const gateway = offersOf(['http-in', 'process'], []);
const complaints = (body: Partial<FaultBody>, offers = payment) =>
  complaintsAbout(FaultBody.parse(body), offers);

describe('what can be injected', () => {
  it.each([
    { at: 'http-in', kind: 'latency', milliseconds: 200 },
    { at: 'http-in', kind: 'error' },
    { at: 'http-in', kind: 'error', status: 500, match: { customerId: 'customer-1', protocol: 'saga' } },
    { at: 'http-in', kind: 'hang' },
    { at: 'http-out:payment-gateway', kind: 'reset', rate: 0.2 },
    { at: 'database', kind: 'commit-unknown', ttlSeconds: 3600 },
    { at: 'produce', kind: 'duplicate', match: { topic: 'order.replies' } },
    { at: 'consume', kind: 'latency', milliseconds: 1 },
    { at: 'process', kind: 'crash' },
    { at: 'process', kind: 'pause', milliseconds: 3000 },
  ])('is $kind at $at', (body) => {
    expect(complaints(body)).toEqual([]);
  });

  it('is told with every legal combination when the place does not exist', () => {
    expect(complaints({ at: 'http-out:inventory', kind: 'hang' })).toEqual([
      {
        path: 'at',
        message:
          'there is no http-out:inventory here; there is http-in (latency, error, hang, reset), ' +
          'http-out:payment-gateway (latency, error, hang, reset), database (latency, error, commit-unknown), ' +
          'produce (latency, error, duplicate), consume (latency, error, duplicate), process (crash, pause, block)',
      },
    ]);
    expect(complaints({ at: 'database', kind: 'error' }, gateway)).toMatchObject([
      {
        message:
          'there is no database here; there is http-in (latency, error, hang, reset), process (crash, pause, block)',
      },
    ]);
  });

  it('is told with every legal combination when the place has no such kind', () => {
    expect(complaints({ at: 'process', kind: 'hang' })).toMatchObject([
      { path: 'kind', message: expect.stringContaining('process (crash, pause, block)') },
    ]);
    expect(complaints({ at: 'http-in', kind: 'toString' })).toMatchObject([{ path: 'kind' }]);
  });

  it('has the members that it needs and no others, all complaints at once', () => {
    expect(complaints({ at: 'http-in', kind: 'latency', status: 500 })).toEqual([
      { path: 'milliseconds', message: 'http-in latency needs it' },
      { path: 'status', message: 'http-in latency takes none' },
    ]);
    expect(complaints({ at: 'process', kind: 'crash', rate: 0.5, milliseconds: 5 })).toMatchObject([
      { path: 'milliseconds' },
      { path: 'rate' },
    ]);
  });

  it('is filtered only by what is known at its place', () => {
    expect(complaints({ at: 'consume', kind: 'error', match: { protocol: 'saga' } })).toEqual([
      { path: 'match.protocol', message: 'at consume there is only orderId, customerId, topic' },
    ]);
    expect(complaints({ at: 'database', kind: 'error', match: { customerId: 'customer-1' } })).toEqual([
      { path: 'match.customerId', message: 'at database there is nothing to filter by' },
    ]);
  });

  it.each([
    { rate: 1.1 },
    { rate: -0.1 },
    { ttlSeconds: 0 },
    { ttlSeconds: 3601 },
    { milliseconds: 0 },
    { milliseconds: 600_001 },
    { status: 200 },
    { status: 600 },
    { match: { orderId: 'no-uuid' } },
    { match: { sku: 'mug' } },
    { forever: true },
  ])('is not $rate$ttlSeconds$milliseconds$status$match$forever', (member) => {
    expect(FaultBody.safeParse({ at: 'http-in', kind: 'error', ...member }).success).toBe(false);
  });
});
