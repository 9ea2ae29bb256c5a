import type { Database, Transaction } from '@faultline/database';
import { encodeHeaders, type Envelope, type ReceivedRecord } from '@faultline/messaging';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { currentTraceparent, startTelemetry, type Telemetry } from '@faultline/telemetry';
import { type Batch, BatchRecord } from './batch.js';
import { consumeInSteps } from './consume.js';
import type { Decoded } from './decode.js';
import { whileProcessing } from './process-span.js';

const memory = new InMemorySpanExporter();
let telemetry: Telemetry;
let offset = 0;
const traceId = '0af7651916cd43dd8448eb211c80319c';

/** What the inbox knows already, and what the transaction's COMMIT is answered with, attempt by attempt. */
let seen: string[] = [];
let commits: (Error | undefined)[] = [];

const tx: Transaction = {
  query: () => Promise.resolve([]),
  write: () => Promise.resolve({}),
  read: () => Promise.resolve({}),
};
const database: Pick<Database, 'transaction'> = {
  async transaction(work) {
    const result = await work(tx);
    const failure = commits.shift();
    if (failure) throw failure;
    return result;
  },
};
const answered = (message: string, code: string): Error =>
  Object.assign(new Error(message), { code, severity: 'ERROR' });
const deadlock = answered('deadlock detected', '40P01');
const badData = answered('out of range', '22003');
const gone = answered('gone', '57P01');

function record(id: string, span = 'b7ad6b7169203331'): ReceivedRecord {
  offset += 1;
  const headers = encodeHeaders({
    id,
    type: 'faultline.test.noted.v1',
    source: '/test',
    subject: `order of ${id}`,
    time: new Date(0).toISOString(),
    correlationId: `order of ${id}`,
    causationId: null,
    deadline: null,
    traceparent: `00-${traceId}-${span}-01`,
  });
  return {
    topic: 'notes',
    partition: 2,
    offset: String(offset),
    key: null,
    value: null,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  };
}

type Message = Pick<Envelope, 'id' | 'traceparent'>;
const idOf = ({ headers }: ReceivedRecord): string => String(headers['ce_id']);
const decode = (received: ReceivedRecord): Decoded<Message> =>
  idOf(received) === 'poison'
    ? { inboxId: 'poison', reason: 'NOT_JSON', detail: 'no', orderId: 'order of poison', type: null }
    : {
        inboxId: idOf(received),
        message: { id: idOf(received), traceparent: String(received.headers['traceparent']) },
      };

const carriedOn: (string | null)[] = [];
async function step(_: Transaction, batch: Batch<Message>): Promise<void> {
  const taken = new BatchRecord(
    batch,
    seen.map((id) => ({ message_id: id })),
  );
  for (const incoming of taken.fresh) {
    await whileProcessing(
      incoming,
      (traceparent) => {
        carriedOn.push(traceparent);
        if (incoming.inboxId === 'guilty') throw new RangeError('cannot be');
      },
      { 'faultline.command': 'note' },
    );
    taken.applied(incoming);
  }
}

const consume = (
  records: readonly ReceivedRecord[],
  doing: (tx: Transaction, batch: Batch<Message>) => Promise<void> = step,
): Promise<void> =>
  consumeInSteps<Message>({ database: database as Database, consumer: 'tester', decode, step: doing })(
    records,
    { heartbeat: () => Promise.resolve(), isCurrent: () => true },
  );

/** `id: outcome` of every span, a failed one with a `!`. */
const told = (): string[] =>
  memory
    .getFinishedSpans()
    .map(
      ({ attributes, status }) =>
        `${String(attributes['messaging.message.id'])}: ${String(attributes['faultline.inbox.outcome'])}${status.code === 2 ? '!' : ''}`,
    );
const eventsOf = (span: ReadableSpan | undefined): string[] => span?.events.map(({ name }) => name) ?? [];

beforeAll(() => {
  telemetry = startTelemetry({
    service: 'tester',
    instance: 'tester-1',
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
  });
});
afterAll(() => telemetry.shutdown());
beforeEach(() => {
  memory.reset();
  seen = [];
  commits = [];
  carriedOn.length = 0;
});

describe('the span of a delivery', () => {
  it('is a CONSUMER below the span that sent it, linked to it, and what it causes carries it on', async () => {
    await consume([record('a')]);
    const [span] = memory.getFinishedSpans();
    expect(span).toMatchObject({
      name: 'process notes',
      kind: SpanKind.CONSUMER,
      parentSpanContext: { traceId, spanId: 'b7ad6b7169203331' },
      links: [{ context: { traceId, spanId: 'b7ad6b7169203331' } }],
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'notes',
        'messaging.destination.partition.id': '2',
        'messaging.consumer.group.name': 'tester',
        'messaging.kafka.offset': offset,
        'messaging.message.id': 'a',
        'messaging.message.conversation_id': 'order of a',
        'cloudevents.event_type': 'faultline.test.noted.v1',
        'faultline.order_id': 'order of a',
        'faultline.command': 'note',
        'faultline.inbox.outcome': 'applied',
      },
      status: { code: 0 },
    });
    expect(carriedOn).toEqual([`00-${traceId}-${span?.spanContext().spanId ?? ''}-01`]);
  });

  it('lasts until the commit, and is one per message also when they share a transaction', async () => {
    let open = 0;
    await consume([record('a'), record('b')], async (transaction, batch) => {
      await step(transaction, batch);
      open = memory.getFinishedSpans().length;
    });
    expect(open).toBe(0);
    expect(told()).toEqual(['a: applied', 'b: applied']);
    for (const span of memory.getFinishedSpans()) {
      expect(span.events).toMatchObject([
        { name: 'transaction committed', attributes: { 'faultline.batch.size': 2 } },
      ]);
    }
  });

  it('that comes again says so, in the same batch and in a later one', async () => {
    await consume([record('a'), record('a', 'cccccccccccccccc')]);
    seen = ['a'];
    await consume([record('a')]);
    // The end of a span, not its beginning, decides when it is told: all of one batch end together.
    expect(told()).toEqual(['a: applied', 'a: repeated', 'a: repeated']);
    expect(carriedOn).toHaveLength(1);
  });

  it('is one over every attempt at its transaction, and notes those that were rolled back', async () => {
    commits = [deadlock, deadlock];
    await consume([record('a')]);
    expect(told()).toEqual(['a: applied']);
    const [span] = memory.getFinishedSpans();
    expect(eventsOf(span)).toEqual([
      'transaction rolled back',
      'transaction rolled back',
      'transaction committed',
    ]);
    expect(span?.events[0]?.attributes).toMatchObject({ 'exception.message': 'deadlock detected' });
    expect(new Set(carriedOn).size).toBe(1);
  });

  it('has failed when its message is dead-lettered, and its neighbours have not', async () => {
    await consume([record('a'), record('poison'), record('guilty'), record('b')]);
    expect(told().sort()).toEqual([
      'a: applied',
      'b: applied',
      'guilty: dead-lettered!',
      'poison: dead-lettered!',
    ]);
    const guilty = memory
      .getFinishedSpans()
      .find(({ attributes }) => attributes['messaging.message.id'] === 'guilty');
    expect(guilty?.attributes['error.type']).toBe('dead-lettered');
    expect(guilty?.events.find(({ name }) => name === 'dead-lettered')?.attributes).toEqual({
      'faultline.dead_letter.reason': 'RangeError',
      'faultline.dead_letter.detail': 'cannot be',
    });
  });

  it('has failed when the database went away, and no effect is claimed', async () => {
    commits = [gone];
    await expect(consume([record('a'), record('b')])).rejects.toThrow('gone');
    expect(told()).toEqual(['a: undefined!', 'b: undefined!']);
    expect(memory.getFinishedSpans()[0]?.status.message).toBe('gone');
  });

  it('ends also when a neighbour stops the batch in the middle', async () => {
    commits = [badData, undefined, gone];
    await expect(consume([record('a'), record('b'), record('c')])).rejects.toThrow('gone');
    expect(told()).toEqual(['a: applied', 'b: undefined!', 'c: undefined!']);
  });
});

describe('without a span', () => {
  it('a message is decided all the same, and its own traceparent is carried on', async () => {
    const carried = await whileProcessing(
      { message: { traceparent: 'its own' } },
      (traceparent) => traceparent,
    );
    expect(carried).toBe('its own');
    expect(currentTraceparent()).toBeNull();
  });
});
