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
} from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { expect } from '@jest/globals';

/** Its orders have four seconds. */
export const hasty = 'customer-99';
/** What is sent together with its name lies in the broker twice. */
export const twice = 'customer-88';

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

/** A system whose spans are received, and what the tests ask of them. */
export interface Stage {
  readonly system: HarnessSystem;
  readonly client: Client;
  spansOf(traceId: string): Span[];
  /** Places an order and waits for its decision. */
  placed(customerId: string, sku?: string, quantity?: number): Promise<Placed>;
  /** Resolves when every order has ended. */
  ended(): Promise<void>;
  /**
   * Resolves when the trace has its right shape: as soon as the last batch of spans has come. What is wrong then stays
   * wrong.
   */
  wellShaped(order: Pick<Placed, 'orderId' | 'traceId'>, killed?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface Placed {
  readonly orderId: string;
  readonly traceId: string;
  readonly status: string;
  readonly reason: string | undefined;
}

export async function openStage(): Promise<Stage> {
  const collector = await receiveTraces();
  const system = await startSystem('traces', {
    patches,
    // What a kill takes along is younger than this.
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200' },
  }).catch(async (error: unknown) => {
    await collector.close();
    throw error;
  });
  const client = new Client(system.urls);
  const spansOf = (traceId: string): Span[] => collector.spans.filter((span) => span.traceId === traceId);
  return {
    system,
    client,
    spansOf,
    async placed(customerId, sku = 'mug', quantity = 1) {
      const { order } = await client.place({ customerId, lines: [{ sku, quantity }] }, { prefer: 'wait=30' });
      if (!order) throw new Error('no order was accepted');
      const { orderId, traceId, status, rejection } = order;
      return { orderId, traceId, status, reason: rejection?.reason };
    },
    ended: () => client.allEnded(60_000),
    wellShaped: ({ orderId, traceId }, killed = []) =>
      eventually(() => expect(complaintsAbout(orderId, spansOf(traceId), { killed })).toEqual([]), {
        within: 10_000,
      }),
    async close() {
      await system.stop();
      await collector.close();
    },
  };
}

/** `{ 'order: send payment.commands': 2 }`, without the reading of prices, which only some orders cause. */
export const counted = (spans: readonly Span[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(spans, nameOf)]
      .filter(([name]) => !name.includes(': GET '))
      .map(([name, all]) => [name, all.length]),
  );
/** What became of a message for the one who took it. */
export const outcomeOf = (span: Span): string | null => attributeOf(span, 'faultline.inbox.outcome');
/** The names of the spans that have this event. */
export const eventsOf = (spans: readonly Span[], name: string): string[] =>
  spans.flatMap((span) => span.events.flatMap((event) => (event.name === name ? [nameOf(span)] : [])));
export const failed = (spans: readonly Span[]): string[] =>
  spans.flatMap((span) => (span.error === null ? [] : [nameOf(span)]));
/** The spans of an approved order: both commands of both participants, each answered, and one event of the decision. */
export const approved = {
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
