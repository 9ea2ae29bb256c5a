import { describe, expect, it } from '@jest/globals';
import type { DueRow, Lease, RemovedRow, SagaRow } from '../recorded-rows.js';
import { change } from './evidence.spec-data.js';
import { dueWork, leases, sagas } from './fences.js';

const lease = (owner: string, fence: number): Lease => ({ partition: 0, owner, fence });
const taken = (seq: number, by: string) => change<RemovedRow>({ seq, partition: 0 }, null, { by });

describe('F of relay leases', () => {
  const begun = () => [change<Lease>(null, lease('', 0)), change(lease('', 0), lease('order-1', 1))];

  it('holds for renewals, take-overs under a higher fence, and rows taken by the holder', () => {
    const changes = [...begun(), change(lease('order-1', 1), lease('order-1', 1))];
    const first = taken(1, 'order-1');
    const over = change(lease('order-1', 1), lease('order-2', 2));
    expect(leases('order', [...changes, over], [first, taken(2, 'order-2')]).rows).toEqual([]);
  });

  it.each([
    ['changes hands under the same fence', lease('order-2', 1)],
    ['goes back', lease('order-1', 0)],
    ['goes back to another', lease('order-2', 0)],
  ])('is broken by a lease that %s', (_, after) => {
    expect(leases('order', [...begun(), change(lease('order-1', 1), after)], []).rows).toHaveLength(1);
  });

  it('is broken by a row that somebody takes out who does not hold the lease', () => {
    const changes = begun();
    expect(leases('order', changes, [taken(7, 'order-2')]).rows).toEqual([
      expect.stringMatching(/^order: order-2 took row 7 out of the outbox while order-1 held partition 0/),
    ]);
    expect(leases('order', [], [taken(7, 'order-2')]).rows).toHaveLength(1);
  });

  it('is broken by a lease that vanishes', () => {
    const gone = change<Lease>(lease('order-1', 1), null);
    expect(leases('order', [...begun(), gone], []).rows).toEqual(['order: lease 0 of order-1 was deleted']);
  });

  it('is broken by the stale holder that settles after it was taken over', () => {
    const changes = [...begun(), change(lease('order-1', 1), lease('order-2', 2))];
    expect(leases('order', changes, [taken(1, 'order-1')]).rows).toHaveLength(1);
  });
});

describe('F of due work', () => {
  const row = (fence: number, owner: string | null = null): DueRow => ({
    kind: 'saga',
    key: 'o',
    owner,
    fence,
  });
  const due = { orderId: 'o', what: 'due', messageId: 'm', outcome: 'APPROVED/SETTLING', xid: 30 };
  const scheduled = () => change<DueRow>(null, row(10));
  const claimed = () => change(row(10), row(20, 'order-1'), { xid: 20 });

  it('holds when whoever holds the row moves the saga', () => {
    const moved = change(row(20, 'order-1'), row(30), { xid: 30, by: 'order-1' });
    expect(dueWork('order', [scheduled(), claimed(), moved], [due]).rows).toEqual([]);
  });

  it.each([
    ['nobody holds the row', change(row(10), row(30), { xid: 30, by: 'order-1' })],
    ['another one does', change(row(20, 'order-1'), row(30), { xid: 30, by: 'order-2' })],
    ['there is no row any more', change<DueRow>(null, row(30), { xid: 30, by: 'order-1' })],
  ])('is broken when a saga is moved while %s', (_, moved) => {
    expect(dueWork('order', [scheduled(), moved], [due]).rows).toHaveLength(1);
  });

  it('is broken when a saga is moved and its row is not touched', () => {
    expect(dueWork('order', [scheduled(), claimed()], [due]).rows).toHaveLength(1);
  });

  it('does not ask it of what a message moved', () => {
    expect(dueWork('order', [scheduled()], [{ ...due, what: 'reserve-stock done' }]).rows).toEqual([]);
  });

  it('is broken by a fence that comes back', () => {
    const changes = [scheduled(), claimed(), change(row(20, 'order-1'), row(10))];
    expect(dueWork('order', changes, []).rows).toEqual(['order: saga o has fence 10 once more']);
  });
});

describe('F of sagas', () => {
  type Steps = SagaRow['state']['steps'];
  const saga = (version: number, steps: Steps = {}, decision: boolean | null = null): SagaRow => ({
    id: 's',
    version,
    state: { phase: 'DECIDING', decision: decision === null ? null : { approved: decision }, steps },
  });
  const step = (status: string, attempt?: number) =>
    attempt === undefined ? { reserve: { status } } : { reserve: { status, attempt } };

  it('holds while versions count up and steps go on', () => {
    const { rows } = sagas([
      change<SagaRow>(null, saga(1, step('WAITING'))),
      change(saga(1, step('WAITING')), saga(2, step('SENT', 1))),
      change(saga(2, step('SENT', 1)), saga(3, step('SENT', 2))),
      change(saga(3, step('SENT', 2)), saga(4, step('DONE', 1), true)),
      change(saga(4, step('DONE', 1), true), saga(5, step('DONE', 1), true)),
    ]);
    expect(rows).toEqual([]);
  });

  it.each([
    ['a version that is skipped', change(saga(1), saga(3))],
    ['a version that comes again', change(saga(2), saga(2))],
    ['a version that goes back', change(saga(3), saga(2))],
    ['a saga that does not begin with its first version', change<SagaRow>(null, saga(2))],
    ['a saga that vanishes', change<SagaRow>(saga(2), null)],
    ['an answer that a later save does not know', change(saga(1, step('DONE', 1)), saga(2, step('SENT', 1)))],
    ['a refusal that becomes a success', change(saga(1, step('REFUSED')), saga(2, step('DONE', 1)))],
    [
      'a compensation that was never begun',
      change(saga(1, step('COMPENSATING', 1)), saga(2, step('DONE', 1))),
    ],
    ['an attempt that goes back', change(saga(1, step('SENT', 2)), saga(2, step('SENT', 1)))],
    ['a step that is forgotten', change(saga(1, step('SENT', 1)), saga(2))],
    ['a decision that is lost', change(saga(1, {}, true), saga(2, {}, null))],
    ['a decision that turns', change(saga(1, {}, true), saga(2, {}, false))],
  ])('is broken by %s', (_, harm) => {
    expect(sagas([harm]).rows).toHaveLength(1);
  });
});
