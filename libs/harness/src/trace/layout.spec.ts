import type { JournalEntry } from '@faultline/contracts';
import { describe, expect, it } from '@jest/globals';
import { axisOf } from './axis.js';
import { draw, duration } from './draw.js';
import { layOut } from './layout.js';
import type { Span } from './span.js';
import { aSpan, at, message, retried } from './spans.spec-data.js';

const entry = (
  service: string,
  milliseconds: number,
  what: string,
  outcome: string,
  attempt = 1,
): JournalEntry => ({
  service,
  at: at(milliseconds),
  what,
  messageId: null,
  causationId: null,
  attempt,
  outcome,
  detail: null,
});
const drawn = (spans: readonly Span[], entries: readonly JournalEntry[] = [], width = 100): string[] =>
  draw(layOut(spans, entries, width), { colour: false });
const labels = (spans: readonly Span[]): string[] =>
  layOut(spans, [], 220).rows.map(({ label }) => label.trimEnd());
const one = (more: Partial<Span>, name = 'process payment.commands'): string | undefined =>
  labels([aSpan('a', null, ['payment', name], [0, 5], more)])[0];

describe('the picture of a trace', () => {
  it('is a waterfall with the journal below it on the same axis', () => {
    const journal = [
      entry('payment', 10_030, 'authorize-payment', 'DONE', 2),
      entry('order', 8, 'place-order', 'PENDING/NONE'),
    ];
    expect(drawn(retried, journal)).toEqual([
      '        span                                              start     took',
      'order   POST /orders 200                                 0.0 ms   10.1 s  █████≈███████████████████',
      'order   └ accept order                                   2.0 ms   8.0 ms  ██   ┊',
      'order     ├ send authorize-payment                        12 ms   4.0 ms     █ ┊',
      'order     └ due-work saga                              10.010 s   5.0 ms       ┊█',
      'order       └ send authorize-payment #2                10.016 s   4.0 ms       ┊ █',
      'payment       └ process authorize-payment #2 DONE ⤺    10.024 s    10 ms       ┊   ███',
      'payment         └ send authorize-payment #2 done       10.036 s   4.0 ms       ┊       █',
      'order             └ process authorize-payment #2 don…  10.045 s    15 ms       ┊         ████',
      '',
      '        journal                                           start     took',
      'order   place-order → PENDING/NONE                       8.0 ms             ◆  ┊',
      'payment authorize-payment #2 → DONE                    10.030 s                ┊     ◆',
      '',
      '10.1 s from the first to the last instant.',
      '≈ 10.0 s from 16 ms on are folded: nothing begins or ends there.',
      '⤺ linked to the span that sent it, or to what is named.',
    ]);
  });

  it('shows each span below the one that caused it, in the order in which they began, retries by number', () => {
    expect(labels(retried)).toEqual([
      'POST /orders 200',
      '└ accept order',
      '  ├ send authorize-payment',
      '  └ due-work saga',
      '    └ send authorize-payment #2',
      '      └ process authorize-payment #2 DONE ⤺',
      '        └ send authorize-payment #2 done',
      '          └ process authorize-payment #2 done → order approved ⤺',
    ]);
    // The order in which the spans of several processes are read says nothing.
    expect(labels([...retried].reverse())).toEqual(labels(retried));
  });

  it('tells a message that was sent again from a command that is repeated', () => {
    const type = 'faultline.payment.authorize-payment.v1';
    const send = (id: string, of: string, from: number): Span =>
      aSpan(id, null, ['order', 'send payment.commands'], [from, from + 1], message(of, type));
    expect(labels([send('a', 'm1', 0), send('b', 'm1', 5), send('c', 'm2', 9)])).toEqual([
      'send authorize-payment',
      'send authorize-payment (sent again)',
      'send authorize-payment #2',
    ]);
  });

  it('names a refusal once, and a dead letter as one', () => {
    const refused = message('m', 'faultline.participant.command-refused.v1', {
      'faultline.command': 'reserve-stock',
      'faultline.outcome': 'OUT_OF_STOCK',
      'faultline.inbox.outcome': 'applied',
    });
    expect(one(refused, 'process order.replies')).toBe('process reserve-stock refused OUT_OF_STOCK');
    const letter = message('m', 'faultline.inventory.reserve-stock.v1');
    expect(one(letter, 'send inventory.commands.dlt')).toBe('send reserve-stock (dead letter)');
  });

  it('says of a delivery whether it had an effect', () => {
    const delivery = (inbox: string, outcome?: string): string | undefined =>
      one({
        attributes: {
          'faultline.inbox.outcome': inbox,
          ...(outcome === undefined ? {} : { 'faultline.outcome': outcome }),
        },
      });
    expect(delivery('applied', 'INSUFFICIENT_FUNDS')).toBe('process payment.commands INSUFFICIENT_FUNDS');
    expect(delivery('expired', 'EXPIRED')).toBe('process payment.commands EXPIRED (expired: no effect)');
    expect(delivery('repeated')).toBe('process payment.commands (repeated: no effect)');
    expect(delivery('dead-lettered')).toBe('process payment.commands dead-lettered');
  });

  it('shows errors, transactions that were rolled back, and links that lead elsewhere', () => {
    expect(one({ error: 'gone' })).toBe('process payment.commands ✗ gone');
    expect(one({ error: '', attributes: { 'error.type': '500' } })).toBe('process payment.commands ✗ 500');
    const rolledBack = { name: 'transaction rolled back', at: 0, attributes: {} };
    expect(one({ events: [rolledBack, rolledBack] })).toBe('process payment.commands (rolled back 2×)');
    expect(one({ links: [{ traceId: 'abcdefgh1234', spanId: 'x' }] }, 'operator resume')).toBe(
      'operator resume ⤺ trace abcdefgh',
    );
    const lines = drawn([aSpan('a', null, ['payment', 'accept order'], [0, 5], { error: 'gone' })]);
    expect(lines).toContain('✗ one span has failed.');
  });

  it('shows spans whose parent nobody kept, with all that is below them, and says so', () => {
    const rest = retried.filter(({ spanId }) => spanId !== 'due' && spanId !== 'reply');
    const picture = layOut(rest, [], 220);
    expect(picture.rows.map(({ is, label }) => `${is}: ${label.trimEnd()}`)).toEqual([
      'span: POST /orders 200',
      'span: └ accept order',
      'span:   └ send authorize-payment',
      'orphan: ? send authorize-payment #2',
      'span: └ process authorize-payment #2 DONE ⤺',
      'orphan: ? process authorize-payment #2 done → order approved ⤺',
    ]);
    expect(drawn(rest).at(-1)).toMatch(/^\? 2 spans have parents that nobody kept/);
  });

  it('names the replica where there are several', () => {
    const spans = [
      aSpan('a', null, ['order', 'accept order'], [0, 5]),
      aSpan('b', 'a', ['order', 'due-work saga'], [6, 7], { instance: 'order-2' }),
      aSpan('c', 'b', ['payment', 'send x'], [8, 9]),
    ];
    expect(layOut(spans, [], 100).rows.map(({ service }) => service)).toEqual([
      'order-1',
      'order-2',
      'payment',
    ]);
  });

  it.each([40, 60, 80, 100, 140, 240])('fits into %d columns', (width) => {
    const lines = drawn(retried, [entry('order', 8, 'place-order', 'PENDING/NONE')], width);
    const table = lines.slice(0, lines.lastIndexOf(''));
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(width);
  });

  it('has no bars in a terminal that is too narrow for them, and says so', () => {
    const lines = drawn(retried, [], 40);
    expect(lines.join('\n')).not.toContain('█');
    expect(lines.at(-1)).toBe('The terminal is too narrow for bars.');
    expect(lines[2]).toContain('└ ');
  });

  it('has colours only where they are wanted', () => {
    expect(drawn(retried).join('')).not.toContain('\x1b');
    const coloured = draw(layOut(retried, [], 100), { colour: true });
    expect(coloured[1]).toContain('\x1b[36m█');
    // A failed line is red from its beginning.
    const failing = draw(layOut([aSpan('a', null, ['order', 'x'], [0, 5], { error: 'no' })], [], 100), {
      colour: true,
    });
    expect(failing[1]?.startsWith('\x1b[31morder')).toBe(true);
  });

  it('of a trace that took no time at all is still one', () => {
    expect(drawn([aSpan('a', null, ['order', 'accept order'], [0, 0])])[1]).toContain('▏');
  });
});

describe('the axis', () => {
  it('keeps its measure while nothing is long', () => {
    const axis = axisOf([0, 30, 60, 90], 91);
    expect(axis.folds).toEqual([]);
    expect([0, 15, 30, 90].map((each) => axis.column(each))).toEqual([0, 15, 30, 90]);
  });

  it('folds each gap that is longer than everything shorter together', () => {
    const axis = axisOf([0, 50, 10_050, 10_100, 40_100, 40_150], 60);
    expect(axis.folds.map(({ from, to }) => [from, to])).toEqual([
      [50, 10_050],
      [10_100, 40_100],
    ]);
    const columns = [0, 50, 10_050, 10_100, 40_100, 40_150].map((each) => axis.column(each));
    // What happened gets the room: three times fifty milliseconds share what two folds leave.
    expect(columns).toEqual([...columns].sort((a, b) => a - b));
    expect((columns[1] ?? 0) - (columns[0] ?? 0)).toBeGreaterThan(15);
    expect((columns[5] ?? 0) - (columns[4] ?? 0)).toBeGreaterThan(15);
    for (const { column } of axis.folds) expect(column).toBeLessThan(60);
  });

  it('does not fold what is short, however much longer than the rest it is', () => {
    expect(axisOf([0, 1, 99], 50).folds).toEqual([]);
    expect(axisOf([0, 1, 102], 50).folds).toHaveLength(1);
  });

  it('does not fold a trace that is slow everywhere, nor a lone span', () => {
    expect(axisOf([0, 120, 240, 360], 50).folds).toEqual([]);
    expect(axisOf([0, 10_000], 50).folds).toEqual([]);
  });

  it('stays within its columns, also with a single one', () => {
    const axis = axisOf([0, 10, 5000, 5010], 1);
    expect([0, 10, 4000, 5000, 5010].map((each) => axis.column(each))).toEqual([0, 0, 0, 0, 0]);
  });
});

it('durations are told in the unit that fits', () => {
  expect([1.24, 340, 12_340, 125_000].map(duration)).toEqual(['1.2 ms', '340 ms', '12.3 s', '2 min 5 s']);
});
