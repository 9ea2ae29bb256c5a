import type { OrderView } from '@faultline/contracts';
import type { WrittenRow } from '../recorded-rows.js';
import type { ServiceName } from '../system.js';
import type { TappedRecord } from '../tap.js';
import type { DeadLetter } from './tables.js';
import { type Check, Rows } from './verdict.js';

/** What lay in a service's outbox at any time, and what the relay took out of it. */
export interface Outbox {
  readonly service: ServiceName;
  readonly written: readonly WrittenRow[];
  /** The `seq` of every row that was deleted. */
  readonly removed: ReadonlySet<number>;
  readonly deadLetters: readonly Pick<DeadLetter, 'consumer' | 'topic' | 'messageId'>[];
}

/** O: every committed outbox row is in its topic, unchanged, or among the dead letters; and every record has its row. */
export function publication(outboxes: readonly Outbox[], tapped: readonly TappedRecord[]): Check {
  const rows = new Rows();
  const inTopics = new Set(tapped.map(faceOfRecord));
  const committed = new Set<string>();
  for (const { service, written, removed, deadLetters } of outboxes) {
    const refused = new Set(
      deadLetters
        .filter(({ consumer }) => consumer === 'relay')
        .map(({ topic, messageId }) => `${topic} ${messageId}`),
    );
    for (const row of written) {
      const face = faceOfRow(row);
      committed.add(face);
      const name = `row ${row.seq} of ${service}'s outbox (${row.type ?? 'no type'} ${row.messageId ?? row.id})`;
      const isPublished = inTopics.has(face) || refused.has(`${row.topic} ${row.messageId ?? row.id}`);
      rows.expect(isPublished, `${name} is not in ${row.topic}/${row.partition}`);
      rows.expect(removed.has(row.seq), `${name} still waits for the relay`);
    }
  }
  for (const record of tapped) {
    if (!isOurs(record)) continue;
    rows.expect(
      committed.has(faceOfRecord(record)),
      `${record.topic}/${record.partition}/${record.offset} (${record.headers['ce_type']} ${record.id}) tells of what no outbox row was committed for`,
    );
  }
  return {
    invariant: 'O',
    looked: { 'outbox rows': committed.size, records: tapped.length },
    rows: rows.found,
  };
}

const told = { APPROVED: 'order-approved', CANCELLED: 'order-approved', REJECTED: 'order-rejected' } as const;

/** O, told by its purpose: each decision was announced, and no other. */
export function announcements(orders: readonly OrderView[], tapped: readonly TappedRecord[]): Check {
  const rows = new Rows();
  const decided = orders.filter(({ status }) => status !== 'PENDING');
  const events = Map.groupBy(
    tapped.filter(({ topic }) => topic === 'order.events'),
    ({ key }) => key ?? '',
  );
  for (const { orderId, status } of decided) {
    if (status === 'PENDING') continue;
    const types = new Set(
      (events.get(orderId) ?? []).map(
        ({ headers }) =>
          /^faultline\.order\.(order-(?:approved|rejected))\.v\d+$/.exec(headers['ce_type'] ?? '')?.[1],
      ),
    );
    rows.expect(types.has(told[status]), `${orderId} is ${status}, and order.events does not say so`);
    rows.expect(types.size < 2, `order.events says that ${orderId} was approved and that it was rejected`);
  }
  return { invariant: 'O', looked: { 'decided orders': decided.length }, rows: rows.found };
}

/** K: first deliveries of one order's messages within a topic lie in one partition, in the order they were written. */
export function arrivalOrder(outboxes: readonly Outbox[], tapped: readonly TappedRecord[]): Check {
  const rows = new Rows();
  const written = new Map<string, { readonly service: ServiceName; readonly seq: number }>();
  for (const { service, written: all, deadLetters } of outboxes) {
    // What the broker refused comes later, by a redrive, and a redriven row is one of its own.
    const late = new Set(deadLetters.map(({ topic, messageId }) => `${topic} ${messageId}`));
    for (const { topic, messageId, id, seq } of all) {
      const name = `${topic} ${messageId}`;
      if (messageId === id && !late.has(name)) written.set(name, { service, seq });
    }
  }
  const partitionOf = new Map<string, number>();
  const arrived = new Set<string>();
  const last = new Map<string, { readonly seq: number; readonly id: string | null }>();
  for (const { topic, partition, offset, key, id } of tapped) {
    const row = written.get(`${topic} ${id}`);
    if (!row || arrived.has(`${topic} ${id}`)) continue;
    arrived.add(`${topic} ${id}`);
    const home = partitionOf.get(`${topic} ${key}`) ?? partition;
    partitionOf.set(`${topic} ${key}`, home);
    const place = `${topic}/${partition}/${offset}`;
    rows.expect(home === partition, `${place}: order ${key} also has messages in partition ${home}`);
    // Two services write replies about one order: each has an order of its own.
    const stream = `${row.service} ${topic} ${key}`;
    const before = last.get(stream);
    rows.expect(
      before === undefined || before.seq < row.seq,
      `${place}: ${id} of order ${key} was written before ${before?.id} and came after it`,
    );
    last.set(stream, { seq: row.seq, id });
  }
  return { invariant: 'K', looked: { 'first deliveries': arrived.size }, rows: rows.found };
}

// The relay puts its own span into `traceparent`; everything else goes out as it was committed.
function faceOfRow(row: WrittenRow): string {
  return [row.topic, row.partition, row.key, row.messageId, row.deadLetterId, row.digest].join(' ');
}
function faceOfRecord({ topic, partition, key, id, headers, digest }: TappedRecord): string {
  return [topic, partition, key, id, headers['faultline_dead_letter_id'] ?? null, digest].join(' ');
}
function isOurs({ headers }: TappedRecord): boolean {
  return /^\/(order|inventory|payment)$/.test(headers['ce_source'] ?? '');
}
