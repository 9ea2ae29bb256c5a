import { describe, expect, it } from '@jest/globals';
import type { KeptLetter } from '../recorded-rows.js';
import { type Consumption, handled, outcomes, unwanted, vanished } from './consumption.js';
import type { KnownConsumer } from './consumers.js';
import { change, recordOf, written } from './evidence.spec-data.js';

const consumer: KnownConsumer = { service: 'order', name: 'order', topics: ['order.replies'] };
const a = recordOf(written({ seq: 1, id: 'a' }), 0);
const b = recordOf(written({ seq: 2, id: 'b' }), 1);
const row = (messageId: string, outcome = 'applied') => ({ consumer: 'order', messageId, outcome });
const letter = (messageId: string, status = 'DEAD') => ({
  id: `letter-${messageId}`,
  consumer: 'order',
  topic: 'order.replies',
  messageId,
  reason: 'NOT_JSON',
  status,
});
const consumption = (more: Partial<Consumption> = {}): Consumption => ({
  consumer,
  tapped: [a, b],
  inbox: [row('a'), row('b')],
  committed: [{ topic: 'order.replies', partition: 0, begin: 0, end: 2, committed: 2 }],
  deadLetters: [],
  ...more,
});
const committed = (offset: number | null) => [
  { topic: 'order.replies', partition: 0, begin: 0, end: 2, committed: offset },
];

describe('L', () => {
  it('holds when everything below the committed offset is in the inbox', () => {
    const check = handled([consumption()]);
    expect(check.rows).toEqual([]);
    expect(check.looked).toEqual({ 'records below committed offsets': 2 });
  });

  it('is broken by a record below it that nobody handled', () => {
    expect(handled([consumption({ inbox: [row('b')] })]).rows).toEqual([
      'order.replies/0/0 (a) lies below the committed offset of order, which never handled it',
    ]);
  });

  it('asks nothing of what lies above it', () => {
    expect(handled([consumption({ inbox: [row('a')], committed: committed(1) })]).rows).toEqual([]);
    expect(handled([consumption({ inbox: [], committed: committed(null) })]).rows).toEqual([]);
  });

  it('is not content with what another consumer of the same database handled', () => {
    const theirs = { ...row('a'), consumer: 'another' };
    expect(handled([consumption({ inbox: [theirs, row('b')] })]).rows).toHaveLength(1);
  });

  it('is broken by an offset beyond the end of its topic', () => {
    expect(handled([consumption({ committed: committed(3) })]).rows).toEqual([
      'order committed 3 in order.replies/0, which ends at 2',
    ]);
  });

  it('knows a message without a usable id by its place', () => {
    const nameless = { ...a, id: 'no id at all' };
    expect(
      handled([consumption({ tapped: [nameless, b], inbox: [row('order.replies/0/0'), row('b')] })]).rows,
    ).toEqual([]);
  });
});

describe('D', () => {
  it('holds when each message has its one outcome, and counts what came again', () => {
    const check = outcomes([consumption({ tapped: [a, b, { ...a, offset: 2 }] })]);
    expect(check.rows).toEqual([]);
    expect(check.also).toEqual({ repeats: 1 });
  });

  it('is broken by a message without an outcome, and by an outcome without its message', () => {
    expect(outcomes([consumption({ inbox: [row('a')] })]).rows).toEqual(['order: b came and has no outcome']);
    expect(outcomes([consumption({ tapped: [a] })]).rows).toEqual(['order: b is applied and never came']);
  });

  it('is broken by an outcome that is none', () => {
    expect(outcomes([consumption({ inbox: [row('a'), row('b', 'lost')] })]).rows).toEqual([
      'order: b is lost, which is no outcome',
    ]);
  });

  it('is broken when inbox and dead letters disagree', () => {
    const dead = consumption({ inbox: [row('a'), row('b', 'dead-lettered')], deadLetters: [letter('b')] });
    expect(outcomes([dead]).rows).toEqual([]);
    expect(outcomes([{ ...dead, deadLetters: [] }]).rows).toHaveLength(1);
    expect(outcomes([consumption({ deadLetters: [letter('a')] })]).rows).toHaveLength(1);
    expect(outcomes([consumption({ deadLetters: [letter('a', 'REDRIVEN')] })]).rows).toEqual([]);
  });

  it('is broken by a consumer that the audit does not know', () => {
    const stranger = { ...row('x'), consumer: 'stranger' };
    expect(outcomes([consumption({ inbox: [row('a'), row('b'), stranger] })]).rows).toEqual([
      'x is applied for stranger, whom the audit does not know',
    ]);
  });

  it('names every dead letter that vanished', () => {
    const gone = change<KeptLetter>(letter('a'), null);
    expect(vanished([gone, change(letter('b'), letter('b', 'REDRIVEN'))])).toEqual([
      'dead letter letter-a of a vanished',
    ]);
  });

  it('names every dead letter', () => {
    expect(unwanted([letter('a')])).toEqual([
      'dead letter letter-a: order could not take a of order.replies: NOT_JSON',
    ]);
  });
});
