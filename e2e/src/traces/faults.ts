import { attributeOf, complaintsAbout, nameOf, type Span } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { describe, expect, it } from '@jest/globals';
import { approved, counted, eventsOf, failed, hasty, outcomeOf, type Stage, twice } from './stage.js';

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

/** What repetitions, kills and errors leave in the trace. */
export function faults(stage: () => Stage): void {
  describe('a message that comes twice', () => {
    it('has two spans below the one that sent it, and only one of them is an effect', async () => {
      const { orderId, traceId, status } = await stage().placed(twice);
      expect(status).toBe('APPROVED');
      await stage().ended();
      const repeated = (): Span[] =>
        stage()
          .spansOf(traceId)
          .filter((span) => outcomeOf(span) === 'repeated');
      await eventually(() => expect(repeated().map(nameOf)).toContain('payment: process payment.commands'), {
        within: 15_000,
      });
      await stage().wellShaped({ orderId, traceId });
      const spans = stage().spansOf(traceId);
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
      const armed = stage().system.crashAt(service, point);
      const order = stage().placed('customer-30');
      await armed.struck();
      const { orderId, traceId, status } = await order;
      expect(status).toBe('APPROVED');
      await stage().ended();
      return { orderId, traceId, spans: () => stage().spansOf(traceId) };
    };

    it('of a participant between commit and offset takes one span along: that of the delivery it had committed', async () => {
      const { orderId, traceId, spans } = await crash('inventory', 'after-commit-before-offset');
      // Everything else of an approved order is there, and the same command once more, known as a repetition.
      await eventually(() => expect(counted(spans())).toEqual(approved), { within: 20_000 });
      const reserve = spans().filter(({ name }) => name === 'process inventory.commands');
      expect(reserve.map(outcomeOf)).toEqual(['repeated', 'applied']);
      expect([...missingParents(spans()).values()]).toEqual([['inventory: send order.replies']]);
      await stage().wellShaped({ orderId, traceId }, ['inventory']);
      expect(complaintsAbout(orderId, spans())).toEqual([
        'inventory: send order.replies: its parent is missing',
      ]);
      expect(failed(spans())).toEqual([]);
    });

    it('of a relay between publish and delete: what it sent is sent again, taken twice, and one effect', async () => {
      const { orderId, traceId, spans } = await crash('order', 'after-publish-before-delete');
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
      await stage().wellShaped({ orderId, traceId }, ['order']);
      expect(failed(spans())).toEqual([]);
    });
  });

  describe('an error', () => {
    it('stands at the delivery that failed, and nowhere else', async () => {
      const { orderId, traceId, reason } = await stage().placed(hasty, 'mug', 13);
      expect(reason).toBe('TIMED_OUT');
      await stage().ended();
      const spans = (): Span[] => stage().spansOf(traceId);
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
      await stage().wellShaped({ orderId, traceId });
    });
  });
}
