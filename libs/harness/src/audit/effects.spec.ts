import { describe, expect, it } from '@jest/globals';
import type { InboxRow } from '../recorded-rows.js';
import { charges, exactlyOnce, type Handling, once } from './effects.js';
import { change, recordOf, written } from './evidence.spec-data.js';

const command = recordOf(written({ seq: 1, id: 'c', topic: 'inventory.commands' }), 0);
const effect = (messageId: string | null, outcome = 'DONE') => ({
  orderId: 'order-a',
  what: 'reserve-stock',
  messageId,
  outcome,
  xid: 1,
});
const row = (outcome = 'applied'): InboxRow => ({ consumer: 'inventory', messageId: 'c', outcome });
const reply = written({ seq: 5, id: 'r', causationId: 'c' });
const handling = (more: Partial<Handling> = {}): Handling => ({
  consumer: { service: 'inventory', name: 'inventory', topics: ['inventory.commands'] },
  tapped: [command],
  inbox: [row()],
  inboxChanges: [change<InboxRow>(null, row())],
  journal: [effect('c')],
  written: [reply],
  ...more,
});

describe('E', () => {
  it('holds for one effect per message; what has no message may happen as often as it likes', () => {
    expect(once('order', [effect('a'), effect('b'), effect(null), effect(null)]).rows).toEqual([]);
  });

  it('is broken by a message that took effect twice, whatever it did the second time', () => {
    expect(once('order', [effect('a'), { ...effect('a'), what: 'confirm-stock' }]).rows).toEqual([
      'order: a took effect 2 times: reserve-stock DONE, then confirm-stock DONE',
    ]);
  });

  it('lets a message have its effect after it was dead-lettered', () => {
    expect(once('order', [effect('a', 'DEAD_LETTERED'), effect('a')]).rows).toEqual([]);
  });

  it('is broken by an order that was charged twice', () => {
    const side = (postingId: string, kind: string, amount: number) => ({
      postingId,
      account: 'sales',
      kind,
      amount,
      orderId: 'order-a',
    });
    expect(charges([side('p', 'CAPTURE', 5), side('p', 'CAPTURE', -5), side('q', 'REFUND', 5)]).rows).toEqual(
      [],
    );
    expect(charges([side('p', 'CAPTURE', 5), side('q', 'CAPTURE', 5)]).rows).toEqual([
      'order-a: CAPTURE was posted 2 times',
    ]);
  });

  it('holds for a command with its inbox row, its effect and its reply, also when it came again', () => {
    expect(exactlyOnce(handling()).rows).toEqual([]);
    expect(exactlyOnce(handling({ inbox: [row('expired')] })).rows).toEqual([]);
    expect(exactlyOnce(handling({ tapped: [command, { ...command, offset: 9 }] })).rows).toEqual([]);
  });

  it.each([
    ['no inbox row', { inbox: [] }, /not in the inbox and took effect 1 times/],
    ['no effect', { journal: [] }, /is applied and took effect 0 times/],
    ['neither', { inbox: [], journal: [] }, /not in the inbox and took effect 0 times/],
    [
      'an effect although it was dead-lettered',
      { inbox: [row('dead-lettered')] },
      /dead-lettered and took effect 1/,
    ],
    [
      'an effect although it was not meant for it',
      { inbox: [row('ignored')] },
      /is ignored and took effect 1/,
    ],
    ['no reply', { written: [] }, /is applied and was answered 0 times/],
    ['two replies', { written: [reply, { ...reply, id: 's', messageId: 's' }] }, /was answered 2 times/],
  ])('is broken by a command with %s', (_, fault, expected) => {
    expect(exactlyOnce(handling(fault)).rows.join('\n')).toMatch(expected);
  });

  it('is broken by an inbox that forgets or changes its mind, except for a redrive', () => {
    const changes = (...inboxChanges: Handling['inboxChanges']) =>
      exactlyOnce(handling({ inboxChanges })).rows;
    expect(changes(change<InboxRow>(row(), null))).toEqual(['inventory: c was applied and was forgotten']);
    expect(changes(change(row(), row('expired')))).toEqual(['inventory: c was applied and became expired']);
    expect(changes(change<InboxRow>(row('dead-lettered'), null))).toEqual([]);
  });

  it('counts a redriven command once, although its reply was dead-lettered and sent again', () => {
    const again = written({ seq: 6, id: 'new', messageId: 'r', causationId: 'c' });
    expect(exactlyOnce(handling({ written: [reply, again] })).rows).toEqual([]);
  });

  it('counts no answer twice of a redriven command, although it was told before that it was dead-lettered', () => {
    const type = 'faultline.participant.command-dead-lettered.v1';
    const told = written({ seq: 6, id: 'd', messageId: 'd', causationId: 'c', type });
    expect(exactlyOnce(handling({ written: [told, reply] })).rows).toEqual([]);
  });
});
