import {
  attributeOf,
  Client,
  complaintsAbout,
  crashPoints,
  type HarnessSystem,
  nameOf,
  type Patch,
  receiveTraces,
  type Span,
  startSystem,
  type TraceReceiver,
} from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

/** Milliseconds until a finished span is exported: what a kill takes along is younger than that. */
const exportDelay = 200;
const hasty = 'customer-99';
const twice = 'customer-88';

const decide = 'libs/transactions/saga/dist/decide.js';
const patches: Patch[] = [
  ...crashPoints
    .filter(({ name }) => ['after-commit-before-offset', 'after-publish-before-delete'].includes(name))
    .map(({ patch }) => patch),
  // One customer's orders have four seconds, and their commands are repeated after one; all others are repeated late
  // enough not to be, however slow the machine is.
  {
    file: decide,
    find: 'deadline: now + definition.deadline,',
    replace: `deadline: now + (facts.customerId === '${hasty}' ? 4000 : definition.deadline),`,
  },
  {
    file: decide,
    find: 'retryAt: this.now + retryDelay(attempt),',
    replace: `retryAt: this.now + (this.facts.customerId === '${hasty}' ? 1000 : 60_000),`,
  },
  // Whatever is sent together with a message that names one customer lies in the broker twice.
  {
    file: 'libs/transactions/outbox/dist/send.js',
    find: 'await producer.send(traced);',
    replace: `await producer.send(traced);
        if (traced.some(({ value }) => String(value).includes('${twice}'))) await producer.send(traced);`,
  },
  // Inventory cannot handle thirteen of anything.
  {
    file: 'apps/inventory/dist/stock/stock.step.js',
    find: 'const reservation = stock.reservations.get(command.body.orderId.toLowerCase());',
    replace: `const reservation = stock.reservations.get(command.body.orderId.toLowerCase());
    if (command.body.lines?.some(({ quantity }) => quantity === 13)) throw new RangeError('thirteen');`,
  },
];

let collector: TraceReceiver;
let system: HarnessSystem;
let client: Client;

beforeAll(async () => {
  collector = await receiveTraces();
  system = await startSystem('traces', {
    patches,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: String(exportDelay) },
  });
  client = new Client(system.urls);
});
afterAll(async () => {
  await system?.stop();
  await collector?.close();
});
beforeEach(() => system.whenReady());

const spansOf = (traceId: string): Span[] => collector.spans.filter((span) => span.traceId === traceId);
/** `{ 'order: send payment.commands': 2 }`, without the reading of prices, which only some orders cause. */
const counted = (spans: readonly Span[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(spans, nameOf)]
      .filter(([name]) => !name.includes(': GET '))
      .map(([name, all]) => [name, all.length]),
  );
const outcomeOf = (span: Span): string | null => attributeOf(span, 'faultline.inbox.outcome');
const eventsOf = (spans: readonly Span[], name: string): string[] =>
  spans.flatMap((span) => span.events.flatMap((event) => (event.name === name ? [nameOf(span)] : [])));
const failed = (spans: readonly Span[]): string[] =>
  spans.flatMap((span) => (span.error === null ? [] : [nameOf(span)]));
/** The names of the spans below each parent that is missing, without the reading of prices. */
const missingParents = (spans: readonly Span[]): Map<string, string[]> => {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const orphans = spans.filter(
    ({ name, parentSpanId }) => !name.startsWith('GET ') && parentSpanId !== null && !known.has(parentSpanId),
  );
  return new Map(
    [...Map.groupBy(orphans, ({ parentSpanId }) => parentSpanId ?? '')].map(([id, all]) => [
      id,
      all.map(nameOf).sort(),
    ]),
  );
};

async function placed(
  customerId: string,
  sku = 'mug',
  quantity = 1,
): Promise<{ orderId: string; traceId: string; status: string; reason: string | undefined }> {
  const { order } = await client.place({ customerId, lines: [{ sku, quantity }] }, { prefer: 'wait=30' });
  if (!order) throw new Error('no order was accepted');
  const { orderId, traceId, status, rejection } = order;
  return { orderId, traceId, status, reason: rejection?.reason };
}
const ended = (): Promise<void> => client.allEnded(60_000);
/** The shape is right as soon as the last batch of spans is here; what is wrong then stays wrong. */
const wellShaped = (orderId: string, spans: () => readonly Span[], killed: string[] = []): Promise<void> =>
  eventually(() => expect(complaintsAbout(orderId, spans(), { killed })).toEqual([]), { within: 10_000 });

/** The spans of an approved order: both commands of both participants, each answered, and one event of the decision. */
const approved = {
  'order: POST /orders': 1,
  'order: accept order': 1,
  'order: send inventory.commands': 2,
  'order: send payment.commands': 2,
  'inventory: process inventory.commands': 2,
  'payment: process payment.commands': 2,
  'inventory: send order.replies': 2,
  'payment: send order.replies': 2,
  'order: process order.replies': 4,
  'order: send order.events': 1,
};

describe('one order is one trace over three services and the broker', () => {
  it.each([
    {
      outcome: 'APPROVED',
      order: ['customer-20', 'mug', 1] as const,
      refusedBy: null,
      shape: approved,
    },
    {
      outcome: 'OUT_OF_STOCK',
      order: ['customer-21', 'tea-rare', 6] as const,
      refusedBy: 'inventory: process inventory.commands',
      // Refused by inventory; the authorization is void again.
      shape: {
        ...approved,
        'order: send inventory.commands': 1,
        'inventory: process inventory.commands': 1,
        'inventory: send order.replies': 1,
        'order: process order.replies': 3,
      },
    },
    {
      outcome: 'INSUFFICIENT_FUNDS',
      order: ['customer-poor', 'mug', 1] as const,
      refusedBy: 'payment: process payment.commands',
      shape: {
        ...approved,
        'order: send payment.commands': 1,
        'payment: process payment.commands': 1,
        'payment: send order.replies': 1,
        'order: process order.replies': 3,
      },
    },
    {
      outcome: 'UNKNOWN_CUSTOMER',
      order: ['customer-nobody', 'mug', 1] as const,
      refusedBy: 'payment: process payment.commands',
      shape: {
        ...approved,
        'order: send payment.commands': 1,
        'payment: process payment.commands': 1,
        'payment: send order.replies': 1,
        'order: process order.replies': 3,
      },
    },
  ])(
    '$outcome: right parents and links, each message once, nothing an error',
    async ({ outcome, order, refusedBy, shape }) => {
      const { orderId, traceId, status, reason } = await placed(...order);
      expect(reason ?? status).toBe(outcome);
      await ended();
      await eventually(() => expect(counted(spansOf(traceId))).toEqual(shape), { within: 15_000 });
      await wellShaped(orderId, () => spansOf(traceId));
      const spans = spansOf(traceId);
      expect(failed(spans)).toEqual([]);
      expect(spans.flatMap((span) => outcomeOf(span) ?? [])).toEqual(
        spans.filter(({ kind }) => kind === 'CONSUMER').map(() => 'applied'),
      );
      // The decision stands at the reply that brought it, and what a participant decided and committed at its command.
      const decision = outcome === 'APPROVED' ? 'order approved' : 'order rejected';
      expect(eventsOf(spans, decision)).toEqual(['order: process order.replies']);
      expect(eventsOf(spans, outcome === 'APPROVED' ? 'order settled' : 'order undone')).toHaveLength(1);
      const commands = spans.filter(({ name }) => name.endsWith('.commands') && name.startsWith('process '));
      for (const command of commands) {
        expect(command.events.map(({ name }) => name)).toEqual(['decided', 'transaction committed']);
      }
      // A refusal is an answer: it is said where it was given and where it was taken.
      expect(
        spans
          .filter((span) => attributeOf(span, 'faultline.outcome') === outcome)
          .map(nameOf)
          .sort(),
      ).toEqual(refusedBy === null ? [] : [refusedBy, 'order: process order.replies'].sort());
    },
  );

  it('TIMED_OUT: the silent command is repeated, the deadline decides, and both have spans', async () => {
    system.freeze('payment');
    let order: Awaited<ReturnType<typeof placed>>;
    try {
      order = await placed(hasty);
    } finally {
      system.thaw('payment');
    }
    expect(order).toMatchObject({ status: 'REJECTED', reason: 'TIMED_OUT' });
    await ended();
    const due = 'order: due-work saga';
    await eventually(
      () => {
        const spans = spansOf(order.traceId);
        const sent = spans.filter(({ kind }) => kind === 'PRODUCER');
        const taken = new Set(
          spans
            .filter(({ kind }) => kind === 'CONSUMER')
            .map((span) => attributeOf(span, 'messaging.message.id')),
        );
        // Everything that was sent has been taken, but for the event, which nobody reads yet.
        expect(
          sent.filter((span) => !taken.has(attributeOf(span, 'messaging.message.id'))).map(nameOf),
        ).toEqual(['order: send order.events']);
        expect(eventsOf(spans, 'order undone')).toHaveLength(1);
      },
      { within: 20_000 },
    );
    await wellShaped(order.orderId, () => spansOf(order.traceId));
    const spans = spansOf(order.traceId);
    expect(failed(spans)).toEqual([]);
    expect(eventsOf(spans, 'order rejected')).toEqual([due]);
    const sends = (type: string): Span[] =>
      spans.filter(
        (span) =>
          span.kind === 'PRODUCER' &&
          attributeOf(span, 'cloudevents.event_type') === `faultline.payment.${type}.v1`,
      );
    const attempts = sends('authorize-payment');
    expect(attempts.length).toBeGreaterThan(1);
    const parentOf = (span: Span | undefined): string | undefined => {
      const parent = spans.find(({ spanId }) => spanId === span?.parentSpanId);
      return parent && nameOf(parent);
    };
    expect(attempts.map(parentOf)).toEqual(['order: accept order', ...attempts.slice(1).map(() => due)]);
    expect(parentOf(sends('void-payment')[0])).toBe(due);
    // Expired, or met by the tombstone of their own void: either way they had no effect, and say so.
    const late = spans.filter((span) => attributeOf(span, 'faultline.command') === 'authorize-payment');
    expect(late.some((span) => outcomeOf(span) === 'expired')).toBe(true);
  });
});

describe('a message that comes twice', () => {
  it('has two spans below the one that sent it, and only one of them is an effect', async () => {
    const { orderId, traceId, status } = await placed(twice);
    expect(status).toBe('APPROVED');
    await ended();
    const repeated = (): Span[] => spansOf(traceId).filter((span) => outcomeOf(span) === 'repeated');
    await eventually(() => expect(repeated().map(nameOf)).toContain('payment: process payment.commands'), {
      within: 15_000,
    });
    await wellShaped(orderId, () => spansOf(traceId));
    const spans = spansOf(traceId);
    expect(failed(spans)).toEqual([]);
    const ids = repeated().map((span) => attributeOf(span, 'messaging.message.id'));
    for (const span of spans.filter(({ kind }) => kind === 'CONSUMER')) {
      const again = ids.filter((id) => id === attributeOf(span, 'messaging.message.id')).length;
      expect(again).toBeLessThan(2);
    }
    // Of the two deliveries only the effect has a decision and an answer below it.
    for (const span of repeated()) {
      expect(span.events.map(({ name }) => name)).toEqual(['transaction committed']);
      expect(spans.filter(({ parentSpanId }) => parentSpanId === span.spanId)).toEqual([]);
    }
  });
});

describe('a kill in the middle', () => {
  const crash = async (
    service: 'order' | 'inventory',
    point: string,
  ): Promise<{ orderId: string; traceId: string; spans: () => Span[] }> => {
    const armed = system.crashAt(service, point);
    const order = placed('customer-30');
    await armed.struck();
    const { orderId, traceId, status } = await order;
    expect(status).toBe('APPROVED');
    await ended();
    return { orderId, traceId, spans: () => spansOf(traceId) };
  };

  it('of a participant between commit and offset takes one span along: that of the delivery it had committed', async () => {
    const { orderId, spans } = await crash('inventory', 'after-commit-before-offset');
    // Everything else of an approved order is there, and the same command once more, known as a repetition.
    await eventually(() => expect(counted(spans())).toEqual(approved), { within: 20_000 });
    const reserve = spans().filter(({ name }) => name === 'process inventory.commands');
    expect(reserve.map(outcomeOf)).toEqual(['repeated', 'applied']);
    expect([...missingParents(spans()).values()]).toEqual([['inventory: send order.replies']]);
    await wellShaped(orderId, spans, ['inventory']);
    expect(complaintsAbout(orderId, spans())).toEqual([
      'inventory: send order.replies: its parent is missing',
    ]);
    expect(failed(spans())).toEqual([]);
  });

  it('of a relay between publish and delete: what it sent is sent again, taken twice, and one effect', async () => {
    const { orderId, spans } = await crash('order', 'after-publish-before-delete');
    const commands = (): Span[] => spans().filter(({ name }) => /^process .*commands$/.test(name));
    await eventually(
      () =>
        expect(
          commands()
            .map((span) => `${nameOf(span)} ${outcomeOf(span)}`)
            .sort(),
        ).toEqual([
          'inventory: process inventory.commands applied',
          'inventory: process inventory.commands applied',
          'inventory: process inventory.commands repeated',
          'payment: process payment.commands applied',
          'payment: process payment.commands applied',
          'payment: process payment.commands repeated',
        ]),
      { within: 20_000 },
    );
    await eventually(() => expect(eventsOf(spans(), 'order settled')).toHaveLength(1), { within: 15_000 });
    // Lost are the two first sends, each the parent of what took it; and, when it was younger than one batch, what wrote
    // their rows, the parent of the sends that came again.
    const lost = [...missingParents(spans()).values()].sort((a, b) => a.length - b.length);
    expect(lost.slice(0, 2).flat().sort()).toEqual([
      'inventory: process inventory.commands',
      'payment: process payment.commands',
    ]);
    expect(lost.slice(2)).toEqual(
      spans().some(({ name }) => name === 'accept order')
        ? []
        : [['order: send inventory.commands', 'order: send payment.commands']],
    );
    await wellShaped(orderId, spans, ['order']);
    expect(failed(spans())).toEqual([]);
  });
});

describe('an error', () => {
  it('stands at the delivery that failed, and nowhere else', async () => {
    const { orderId, traceId, reason } = await placed(hasty, 'mug', 13);
    expect(reason).toBe('TIMED_OUT');
    await ended();
    const spans = (): Span[] => spansOf(traceId);
    await eventually(() => expect(eventsOf(spans(), 'order undone')).toHaveLength(1), { within: 20_000 });
    await eventually(() => expect(failed(spans())).toHaveLength(1), { within: 15_000 });
    const [broken] = spans().filter(({ error }) => error !== null);
    expect(broken && nameOf(broken)).toBe('inventory: process inventory.commands');
    expect(broken?.attributes).toMatchObject({
      'faultline.inbox.outcome': 'dead-lettered',
      'error.type': 'dead-lettered',
      'cloudevents.event_type': 'faultline.inventory.reserve-stock.v1',
    });
    expect(broken?.events.find(({ name }) => name === 'dead-lettered')?.attributes).toEqual({
      'faultline.dead_letter.reason': 'RangeError',
      'faultline.dead_letter.detail': 'thirteen',
    });
    // The answer that tells the saga is caused by it; the saga is suspended, and its deadline rejects the order.
    const answer = spans().find(({ parentSpanId }) => parentSpanId === broken?.spanId);
    expect(answer && nameOf(answer)).toBe('inventory: send order.replies');
    expect(eventsOf(spans(), 'saga suspended')).toEqual(['order: process order.replies']);
    expect(eventsOf(spans(), 'order rejected')).toEqual(['order: due-work saga']);
    await wellShaped(orderId, spans);
  });
});
