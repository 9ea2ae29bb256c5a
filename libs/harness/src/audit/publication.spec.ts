import { describe, expect, it } from '@jest/globals';
import type { OrderView } from '@faultline/contracts';
import type { WrittenRow } from '../recorded-rows.js';
import { recordOf, written } from './evidence.spec-data.js';
import { announcements, arrivalOrder, type Outbox, publication } from './publication.js';

const a = written({ seq: 1, id: 'a' });
const b = written({ seq: 2, id: 'b' });
const outbox = (rows: readonly WrittenRow[], more: Partial<Outbox> = {}): Outbox => ({
  service: 'inventory',
  written: rows,
  removed: new Set(rows.map(({ seq }) => seq)),
  deadLetters: [],
  ...more,
});

describe('O', () => {
  it('holds when every row is in its topic, also twice', () => {
    const tapped = [recordOf(a, 0), recordOf(b, 1), recordOf(a, 2)];
    expect(publication([outbox([a, b])], tapped).rows).toEqual([]);
  });

  it('is broken by a row that is in no topic', () => {
    expect(publication([outbox([a, b])], [recordOf(a, 0)]).rows).toEqual([
      "row 2 of inventory's outbox (faultline.participant.command-done.v1 b) is not in order.replies/0",
    ]);
  });

  it.each([
    ['partition', { partition: 1 }],
    ['key', { key: 'order-b' }],
    ['value', { digest: 'other' }],
  ])('is broken by a record with another %s than the row', (_, other) => {
    const { rows } = publication([outbox([a])], [{ ...recordOf(a, 0), ...other }]);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/is not in order.replies\/0/);
    expect(rows[1]).toMatch(/tells of what no outbox row was committed for/);
  });

  it('excuses a row that the broker refused, and that lies among the dead letters of the relay', () => {
    const deadLetters = [{ consumer: 'relay', topic: 'order.replies', messageId: 'a' }];
    expect(publication([outbox([a], { deadLetters })], []).rows).toEqual([]);
    const others = [{ consumer: 'order', topic: 'order.replies', messageId: 'a' }];
    expect(publication([outbox([a], { deadLetters: others })], []).rows).toHaveLength(1);
  });

  it('is broken by a row that waits for ever', () => {
    expect(publication([outbox([a], { removed: new Set() })], [recordOf(a, 0)]).rows).toEqual([
      "row 1 of inventory's outbox (faultline.participant.command-done.v1 a) still waits for the relay",
    ]);
  });

  it('is broken by a message without its commit, unless a stranger sent it', () => {
    expect(publication([outbox([a])], [recordOf(a, 0), recordOf(b, 1)]).rows).toHaveLength(1);
    const strange = recordOf(b, 1, { ce_source: '/somebody' });
    expect(publication([outbox([a])], [recordOf(a, 0), strange]).rows).toEqual([]);
  });

  it('is broken by a decision that nobody was told of, and by one that was told both ways', () => {
    const order = (status: OrderView['status']): OrderView => ({ orderId: 'o', status }) as OrderView;
    const event = (type: string, offset: number) =>
      recordOf(
        written({
          seq: offset,
          id: type,
          topic: 'order.events',
          key: 'o',
          type: `faultline.order.${type}.v1`,
        }),
        offset,
      );
    const approved = event('order-approved', 0);
    const rejected = event('order-rejected', 1);
    expect(announcements([order('APPROVED')], [approved]).rows).toEqual([]);
    expect(announcements([order('PENDING')], []).rows).toEqual([]);
    expect(announcements([order('APPROVED')], []).rows).toHaveLength(1);
    expect(announcements([order('REJECTED')], [approved]).rows).toHaveLength(1);
    expect(announcements([order('REJECTED')], [approved, rejected]).rows).toHaveLength(1);
  });
});

describe('K', () => {
  it('holds when first deliveries come as they were written, whatever is repeated later', () => {
    const tapped = [recordOf(a, 0), recordOf(b, 1), recordOf(a, 2), recordOf(b, 3)];
    expect(arrivalOrder([outbox([a, b])], tapped).rows).toEqual([]);
  });

  it('is broken by a message that came before one that was written earlier', () => {
    expect(arrivalOrder([outbox([a, b])], [recordOf(b, 0), recordOf(a, 1)]).rows).toEqual([
      'order.replies/0/1: a of order order-a was written before b and came after it',
    ]);
  });

  it('lets orders, and the two services that answer one order, go their own ways', () => {
    const other = written({ seq: 2, id: 'b', key: 'order-b' });
    expect(arrivalOrder([outbox([a, other])], [recordOf(other, 0), recordOf(a, 1)]).rows).toEqual([]);
    const payment = outbox([b], { service: 'payment' });
    expect(arrivalOrder([outbox([a]), payment], [recordOf(b, 0), recordOf(a, 1)]).rows).toEqual([]);
  });

  it('is broken by an order whose messages lie in two partitions', () => {
    const elsewhere = { ...b, partition: 1 };
    const { rows } = arrivalOrder([outbox([a, elsewhere])], [recordOf(a, 0), recordOf(elsewhere, 0)]);
    expect(rows).toEqual(['order.replies/1/0: order order-a also has messages in partition 0']);
  });

  it('excepts what was dead-lettered and redriven', () => {
    const redriven = written({ seq: 3, id: 'c', messageId: 'a' });
    const deadLetters = [{ consumer: 'relay', topic: 'order.replies', messageId: 'a' }];
    const tapped = [recordOf(b, 0), recordOf(redriven, 1)];
    expect(arrivalOrder([outbox([a, b, redriven], { deadLetters })], tapped).rows).toEqual([]);
  });
});
