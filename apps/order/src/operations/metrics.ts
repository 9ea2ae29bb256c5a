import type { Database } from '@faultline/database';
import { dueWorkDepth } from '@faultline/due-work';
import { meter } from '@faultline/telemetry';
import { settlementOf, type Order } from '../orders/order.js';

/** A command that was answered, and how many milliseconds after its first sending. */
export interface Answered {
  readonly step: string;
  readonly milliseconds: number;
}

/** Counts what committed steps have brought about; the rest is read from the tables at each scrape. */
export function orderMetrics(
  database: Database,
): (orders: readonly Order[], answered: readonly Answered[]) => void {
  const metrics = meter('faultline.order');
  const moved = metrics.createCounter('faultline.order.transitions', {
    description: 'orders that reached a status',
  });
  const decision = metrics.createHistogram('faultline.order.decision.duration', {
    unit: 's',
    description: 'from acceptance to decision, by the database clock',
  });
  const steps = metrics.createHistogram('faultline.saga.step.duration', {
    unit: 's',
    description: 'from the first sending of a command to its answer, by the database clock',
  });
  const open = metrics.createObservableGauge('faultline.order.open', {
    description: 'orders under way, by status',
  });
  const due = metrics.createObservableGauge('faultline.due_work.depth', {
    description: 'due work that is scheduled',
  });
  metrics.addBatchObservableCallback(
    async (observe) => {
      // A scrape while the database is away shows what is left to show.
      const [rows, scheduled] = await Promise.all([
        database.query<{ status: string; settlement: string; count: number }>({
          name: 'metrics-open-orders',
          text: `SELECT status, settlement, count(*)::int AS count FROM orders
                 WHERE settlement NOT IN ('SETTLED', 'UNDONE') GROUP BY status, settlement`,
          values: [],
        }),
        dueWorkDepth(database),
      ]).catch(() => [[], null] as const);
      for (const { status, settlement, count } of rows) observe.observe(open, count, { status, settlement });
      if (scheduled) observe.observe(due, scheduled.depth);
    },
    [open, due],
  );

  return (orders, answered) => {
    for (const order of orders) {
      const settlement = settlementOf(order);
      const reason = order.status === 'REJECTED' ? { reason: order.rejection.reason } : {};
      moved.add(1, { status: order.status, settlement, protocol: order.protocol, ...reason });
      if (order.status !== 'PENDING' && settlement === 'SETTLING') {
        decision.record((order.decidedAt - order.createdAt) / 1000, {
          protocol: order.protocol,
          status: order.status,
        });
      }
    }
    for (const { step, milliseconds } of answered) steps.record(milliseconds / 1000, { step });
  };
}
