import { attributeOf, nameOf, type Span } from '@faultline/harness';
import { eventually } from '@faultline/testing';
import { describe, expect, it } from '@jest/globals';
import { approved, counted, eventsOf, failed, hasty, outcomeOf, type Placed, type Stage } from './stage.js';

/** What the trace of an order looks like when nothing breaks, for every way in which it can end. */
export function outcomes(stage: () => Stage): void {
  describe('one order is one trace over three services and the broker', () => {
    it.each([
      {
        outcome: 'APPROVED',
        order: { customerId: 'customer-20', sku: 'mug', quantity: 1 },
        refusedBy: null,
        shape: approved,
      },
      {
        outcome: 'OUT_OF_STOCK',
        order: { customerId: 'customer-21', sku: 'tea-rare', quantity: 6 },
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
        order: { customerId: 'customer-poor', sku: 'mug', quantity: 1 },
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
        order: { customerId: 'customer-nobody', sku: 'mug', quantity: 1 },
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
        const { orderId, traceId, status, reason } = await stage().placed(
          order.customerId,
          order.sku,
          order.quantity,
        );
        expect(reason ?? status).toBe(outcome);
        await stage().ended();
        await eventually(() => expect(counted(stage().spansOf(traceId))).toEqual(shape), { within: 15_000 });
        await stage().wellShaped({ orderId, traceId });
        const spans = stage().spansOf(traceId);
        expect(failed(spans)).toEqual([]);
        expect(spans.flatMap((span) => outcomeOf(span) ?? [])).toEqual(
          spans.filter(({ kind }) => kind === 'CONSUMER').map(() => 'applied'),
        );
        // The decision stands at the reply that brought it, and what a participant decided and committed at its command.
        const decision = outcome === 'APPROVED' ? 'order approved' : 'order rejected';
        expect(eventsOf(spans, decision)).toEqual(['order: process order.replies']);
        expect(eventsOf(spans, outcome === 'APPROVED' ? 'order settled' : 'order undone')).toHaveLength(1);
        const commands = spans.filter(
          ({ name }) => name.endsWith('.commands') && name.startsWith('process '),
        );
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
      stage().system.freeze('payment');
      let order: Placed;
      try {
        order = await stage().placed(hasty);
      } finally {
        stage().system.thaw('payment');
      }
      expect(order).toMatchObject({ status: 'REJECTED', reason: 'TIMED_OUT' });
      await stage().ended();
      const due = 'order: due-work saga';
      await eventually(
        () => {
          const spans = stage().spansOf(order.traceId);
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
      await stage().wellShaped(order);
      const spans = stage().spansOf(order.traceId);
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
}
