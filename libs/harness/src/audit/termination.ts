import type { OrderAudit, OrderView } from '@faultline/contracts';
import type { GuardedChange, OrderRow } from '../recorded-rows.js';
import { type Check, Rows } from './verdict.js';

/** A time during which not all services were up, in epoch milliseconds. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** How long after its deadline an order may be decided while all services are up, in milliseconds. */
const grace = 30_000;

/** T: every order has left PENDING within its deadline + 30 s of all services being up, and its settlement has ended. */
export function termination(
  audit: OrderAudit,
  listed: readonly OrderView[],
  outages: readonly Outage[] = [],
): Check {
  const rows = new Rows();
  for (const group of audit.orders) {
    const row = `${group.count} orders ${group.status}/${group.settlement} by ${group.protocol}`;
    rows.expect(group.status !== 'PENDING' && group.settlement !== 'SETTLING', row);
  }
  for (const orderId of audit.suspended) rows.add(`${orderId} is suspended`);
  for (const { orderId, reason } of audit.skipped) rows.add(`${orderId} was skipped: ${reason}`);
  for (const { orderId, decidedAt, deadline } of listed) {
    if (decidedAt === null) continue;
    const late = upBetween(Date.parse(deadline), Date.parse(decidedAt), outages);
    rows.expect(
      late <= grace,
      `${orderId} was decided ${late} ms of all services being up after its deadline`,
    );
  }
  return { invariant: 'T', looked: { orders: listed.length }, rows: rows.found };
}

/** T, change by change: PENDING is left exactly once, nothing returns to it, and an ended settlement stays ended. */
export function transitions(changes: readonly GuardedChange<OrderRow>[]): Check {
  const rows = new Rows();
  for (const [orderId, steps] of Map.groupBy(changes, ({ before, after }) => (after ?? before)?.id ?? '')) {
    const decisions = steps.filter(
      ({ before, after }) => before?.status === 'PENDING' && after?.status !== 'PENDING',
    );
    rows.expect(decisions.length === 1, `${orderId} left PENDING ${decisions.length} times`);
    for (const { before, after } of steps) {
      if (!before) continue;
      const row = `${orderId} went from ${before.status}/${before.settlement} to ${
        after ? `${after.status}/${after.settlement}` : 'nowhere'
      }`;
      rows.expect(after !== null && isLegal(before, after), row);
    }
  }
  return { invariant: 'T', looked: { 'changes of orders': changes.length }, rows: rows.found };
}

function isLegal(before: OrderRow, after: OrderRow): boolean {
  const ended = before.settlement === 'SETTLED' || before.settlement === 'UNDONE';
  const isCancelled = before.status === 'APPROVED' && after.status === 'CANCELLED';
  if (isCancelled) return true;
  if (ended) return after.settlement === before.settlement && after.status === before.status;
  if (before.status === 'PENDING') return after.status !== 'CANCELLED';
  return after.status === before.status;
}

/** Milliseconds between two instants, without the outages. */
export function upBetween(from: number, to: number, outages: readonly Outage[]): number {
  let up = 0;
  let at = from;
  for (const outage of [...outages].sort((a, b) => a.from - b.from)) {
    if (outage.from >= to) break;
    up += Math.max(0, outage.from - at);
    at = Math.max(at, outage.to);
  }
  return up + Math.max(0, to - at);
}
