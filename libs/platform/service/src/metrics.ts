import type { Database } from '@faultline/database';
import { outboxDepth } from '@faultline/outbox';
import { meter } from '@faultline/telemetry';
import type { BrokerSide } from './broker.js';

/** The gauges and the histogram that every service has. Answers the recorder of batch sizes. */
export function serviceMetrics(
  database: Database,
  broker: () => BrokerSide | undefined,
): (group: string, size: number) => void {
  const metrics = meter('faultline.service');
  const depth = metrics.createObservableGauge('faultline.outbox.depth', {
    description: 'rows that wait for the relay',
  });
  const age = metrics.createObservableGauge('faultline.outbox.age', {
    unit: 's',
    description: 'age of the oldest row',
  });
  const dead = metrics.createObservableGauge('faultline.dead_letters', {
    description: 'dead letters not yet redriven',
  });
  metrics.addBatchObservableCallback(
    async (observe) => {
      // A scrape while the database is away shows what is left to show.
      const [outbox, letters] = await Promise.all([
        outboxDepth(database),
        database.query<{ dead: number }>({
          name: 'metrics-dead-letters',
          text: `SELECT count(*)::int AS dead FROM dead_letter WHERE status = 'DEAD'`,
          values: [],
        }),
      ]).catch(() => [undefined, undefined] as const);
      if (!outbox || !letters) return;
      observe.observe(depth, outbox.depth);
      observe.observe(age, outbox.oldestAgeSeconds ?? 0);
      observe.observe(dead, letters[0]?.dead ?? 0);
    },
    [depth, age, dead],
  );
  metrics
    .createObservableGauge('faultline.consumer.lag', {
      description: 'messages in the assigned partitions not yet handled',
    })
    .addCallback((gauge) => {
      for (const [group, status] of broker()?.consumers() ?? []) gauge.observe(status.lag, { group });
    });
  metrics
    .createObservableGauge('faultline.consumer.joined', {
      description: '1 while the consumer is a member of its group',
    })
    .addCallback((gauge) => {
      for (const [group, status] of broker()?.consumers() ?? [])
        gauge.observe(status.joined ? 1 : 0, { group });
    });
  metrics
    .createObservableGauge('faultline.consumer.partitions', {
      description: 'partitions that the group has given to this member',
    })
    .addCallback((gauge) => {
      for (const [group, status] of broker()?.consumers() ?? [])
        gauge.observe(status.assigned.length, { group });
    });
  metrics
    .createObservableGauge('faultline.relay.partitions', {
      description: 'partitions whose lease this relay holds',
    })
    .addCallback((gauge) => {
      gauge.observe(broker()?.relay()?.partitions.length ?? 0);
    });
  metrics
    .createObservableCounter('faultline.relay.published', {
      description: 'rows that this relay has published, repeats included',
    })
    .addCallback((counter) => {
      counter.observe(broker()?.relay()?.published ?? 0);
    });
  const sizes = metrics.createHistogram('faultline.consumer.batch_size', {
    description: 'messages per transaction',
    advice: { explicitBucketBoundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
  });
  return (group, size) => sizes.record(size, { group });
}
