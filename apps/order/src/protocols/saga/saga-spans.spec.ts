import type { Decided } from '@faultline/saga';
import { startTelemetry, type Telemetry, withSpan, withSpans } from '@faultline/telemetry';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { anOrder } from '../../orders/an-order.spec-data.js';
import { decisionSpan } from './saga-spans.js';

const memory = new InMemorySpanExporter();
let telemetry: Telemetry;
const order = anOrder();
const [, traceId, spanId] = order.traceparent.split('-');
const decided = (more: Partial<Decided>): Decided => ({
  state: { phase: 'DECIDING', startedAt: 0, deadline: 0, decision: null, steps: {} },
  commands: [],
  events: [],
  outcome: 'ADVANCED',
  ...more,
});

beforeAll(() => {
  telemetry = startTelemetry({
    service: 'order',
    instance: 'order-1',
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
  });
});
afterAll(() => telemetry.shutdown());
beforeEach(() => memory.reset());

describe('the span of a decision that no message brought', () => {
  it('stands in the trace of its order, says what was decided, and its messages carry it on', async () => {
    const carried = await withSpans((open) =>
      Promise.resolve(
        decisionSpan(open, 'due-work saga')(
          order,
          decided({ events: [{ type: 'rejected', reason: 'TIMED_OUT', detail: 'no answer in time' }] }),
        ),
      ),
    );
    const [span] = memory.getFinishedSpans();
    expect(span).toMatchObject({
      name: 'due-work saga',
      parentSpanContext: { traceId, spanId },
      links: [],
      attributes: { 'faultline.order_id': order.orderId, 'faultline.saga.outcome': 'ADVANCED' },
      events: [{ name: 'order rejected', attributes: { 'faultline.reason': 'TIMED_OUT' } }],
      // A rejection is a decision, and no error.
      status: { code: 0 },
    });
    expect(carried).toBe(`00-${traceId}-${span?.spanContext().spanId}-01`);
  });

  it('is linked to the request of the operator who asked for it', async () => {
    await withSpan('POST /sagas/{id}/resume', { parent: null }, () =>
      withSpans((open) =>
        Promise.resolve(
          decisionSpan(open, 'operator resume')(order, decided({ events: [{ type: 'resumed' }] })),
        ),
      ),
    );
    const [span, request] = memory.getFinishedSpans();
    expect(span).toMatchObject({
      name: 'operator resume',
      parentSpanContext: { traceId, spanId },
      events: [{ name: 'saga resumed' }],
    });
    expect(request?.spanContext().traceId).not.toBe(traceId);
    expect(span?.links.map((link) => link.context.spanId)).toEqual([request?.spanContext().spanId]);
  });

  it('is none when nothing was due', async () => {
    const carried = await withSpans((open) =>
      Promise.resolve(decisionSpan(open, 'due-work saga')(order, decided({ outcome: 'EARLY' }))),
    );
    expect(carried).toBeNull();
    expect(memory.getFinishedSpans()).toEqual([]);
  });
});
