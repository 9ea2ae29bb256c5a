import type { DueRow, GuardedChange, Lease, RemovedRow, SagaRow } from '../recorded-rows.js';
import type { JournalRow } from './tables.js';
import { type Check, Rows } from './verdict.js';

/** F: a lease changes hands only under a higher fence, and only whoever holds it takes rows out of the outbox. */
export function leases(
  service: string,
  changes: readonly GuardedChange<Lease>[],
  removed: readonly GuardedChange<RemovedRow>[],
): Check {
  const rows = new Rows();
  const heldBy = new Map<number, Lease>();
  // Numbers are taken while the lease's row is locked: they order takeovers and what was deleted under the lease.
  for (const { nr, by, before, after } of [...changes, ...removed].sort((a, b) => a.nr - b.nr)) {
    if (after && 'owner' in after) {
      const lease = heldBy.get(after.partition) ?? { owner: '', fence: -1 };
      const row = `${service}: lease ${after.partition} went from ${lease.owner} #${lease.fence} to ${after.owner} #${after.fence}`;
      const isRenewal = after.owner === lease.owner && after.fence === lease.fence;
      rows.expect(isRenewal || after.fence > lease.fence, row);
      heldBy.set(after.partition, after);
    } else if (before && 'owner' in before) {
      rows.add(`${service}: lease ${before.partition} of ${before.owner} was deleted`);
    } else if (before) {
      const owner = heldBy.get(before.partition)?.owner;
      rows.expect(
        by === owner,
        `${service}: ${by || 'somebody'} took row ${before.seq} out of the outbox while ${owner ?? 'nobody'} held partition ${before.partition} (change ${nr})`,
      );
    }
  }
  return {
    invariant: 'F',
    looked: { 'changes of leases': changes.length, 'settled rows': removed.length },
    rows: rows.found,
  };
}

/** F: a fence that was replaced never comes back, and due work moves a saga only for whoever holds it at that moment. */
export function dueWork(
  service: string,
  changes: readonly GuardedChange<DueRow>[],
  journal: readonly JournalRow[],
): Check {
  const rows = new Rows();
  const fences = new Map<string, { current: number | null; readonly replaced: Set<number> }>();
  for (const { before, after } of changes) {
    const row = after ?? before;
    if (!row) continue;
    const name = `${row.kind} ${row.key}`;
    const known = fences.get(name) ?? { current: null, replaced: new Set<number>() };
    fences.set(name, known);
    if (known.current !== null && after?.fence !== known.current) known.replaced.add(known.current);
    known.current = after?.fence ?? null;
    if (after)
      rows.expect(!known.replaced.has(after.fence), `${service}: ${name} has fence ${after.fence} once more`);
  }
  const inTransaction = new Map(
    changes.map((change) => [`${change.xid} ${(change.after ?? change.before)?.key}`, change]),
  );
  for (const { what, orderId, xid } of journal) {
    if (what !== 'due') continue;
    const change = inTransaction.get(`${xid} ${orderId}`);
    const holder = change?.before?.owner ?? null;
    rows.expect(
      change !== undefined && holder === change.by,
      `${service}: due work moved ${orderId} for ${change?.by ?? 'somebody'} while ${holder ?? 'nobody'} held it`,
    );
  }
  // Only the order service has some at every order.
  const count = { 'changes of due work': changes.length };
  const looked = service === 'order' ? { looked: count } : { looked: {}, also: count };
  return { invariant: 'F', ...looked, rows: rows.found };
}

/** F: a saga is saved once per version, and nothing that it knew is forgotten by a later save. */
export function sagas(changes: readonly GuardedChange<SagaRow>[]): Check {
  const rows = new Rows();
  for (const { before, after, by } of changes) {
    if (!after) rows.add(`saga ${before?.id} was deleted`);
    else if (!before)
      rows.expect(after.version === 1, `saga ${after.id} began with version ${after.version}`);
    else {
      rows.expect(
        after.version === before.version + 1,
        `saga ${after.id} went from version ${before.version} to ${after.version}`,
      );
      for (const lost of forgotten(before.state, after.state))
        rows.add(`saga ${after.id}, version ${after.version}, saved by ${by}: ${lost}`);
    }
  }
  return { invariant: 'F', looked: { 'saga saves': changes.length }, rows: rows.found };
}

// How far a step has come; a stale save shows as a step that goes back.
const ranks: Readonly<Record<string, number>> = {
  WAITING: 0,
  SENT: 1,
  DONE: 2,
  REFUSED: 2,
  COMPENSATING: 3,
  COMPENSATED: 4,
  SKIPPED: 5,
};
type Step = SagaRow['state']['steps'][string] & { readonly direction?: string };
const rankOf = (step: Step): number =>
  step.status === 'STUCK' ? (step.direction === 'BACKWARD' ? 3 : 1) : (ranks[step.status] ?? -1);

function forgotten(before: SagaRow['state'], after: SagaRow['state']): string[] {
  const lost: string[] = [];
  if (before.decision && after.decision?.approved !== before.decision.approved)
    lost.push(`the decision ${before.decision.approved ? 'approved' : 'rejected'} was lost`);
  for (const [name, step] of Object.entries(before.steps)) {
    const now = after.steps[name];
    if (
      !now ||
      rankOf(now) < rankOf(step) ||
      (rankOf(now) === 2 && rankOf(step) === 2 && now.status !== step.status)
    )
      lost.push(`${name} went from ${step.status} back to ${now?.status ?? 'nothing'}`);
    else if (now.status === step.status && now.status !== 'STUCK' && (now.attempt ?? 0) < (step.attempt ?? 0))
      lost.push(`${name} went from attempt ${step.attempt} back to ${now.attempt}`);
  }
  return lost;
}
