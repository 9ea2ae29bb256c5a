import { describe, expect, it } from '@jest/globals';
import type { JournalEntry } from '@faultline/contracts';
import { inCausalOrder, OrderTimeline } from './timeline.js';

const entry = (
  messageId: string,
  causationId: string | null,
  second: number,
  service = 'order',
): JournalEntry => ({
  service,
  at: `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`,
  what: messageId,
  messageId,
  causationId,
  attempt: 1,
  outcome: 'DONE',
  detail: null,
});

describe('a timeline', () => {
  it('puts a cause before its effect although the clocks disagree', () => {
    const told = inCausalOrder([
      entry('reply', 'command', 1),
      entry('command', 'order', 9, 'inventory'),
      entry('order', null, 5),
    ]);
    expect(told.map((each) => each.messageId)).toEqual(['order', 'command', 'reply']);
  });

  it('goes by time where nothing was caused by anything', () => {
    expect(inCausalOrder([entry('b', null, 2), entry('a', null, 1)]).map((each) => each.messageId)).toEqual([
      'a',
      'b',
    ]);
  });

  it('keeps an entry whose cause nobody has noted, and all of a circle', () => {
    expect(inCausalOrder([entry('a', 'unknown', 1)])).toHaveLength(1);
    expect(inCausalOrder([entry('a', 'b', 1), entry('b', 'a', 2)])).toHaveLength(2);
  });

  it('names the service that did not answer, and shows the rest', async () => {
    const timeline = new OrderTimeline(
      new Map([
        ['order', async () => [entry('order', null, 1)]],
        ['payment', () => Promise.reject(new Error('away'))],
      ]),
    );
    expect(await timeline.of('x')).toMatchObject({
      unanswered: ['payment'],
      entries: [{ messageId: 'order' }],
    });
  });
});
