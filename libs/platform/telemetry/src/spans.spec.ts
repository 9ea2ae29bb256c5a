import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import {
  currentTraceparent,
  describeSpan,
  logger,
  meter,
  noteInSpan,
  prometheusText,
  SpanKind,
  startSpan,
  startTelemetry,
  type Telemetry,
  traceIdOf,
  withSpan,
  withSpans,
} from './index.js';

const exporter = new InMemorySpanExporter();
const stored = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
let telemetry: Telemetry;

describe('without telemetry', () => {
  it('work runs outside of any trace, and a request still gets an id', async () => {
    expect(await withSpan('work', {}, () => currentTraceparent())).toBeNull();
    expect(startSpan('request', { parent: null }).span.spanContext().traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(startSpan('request', { parent: stored }).span.spanContext().traceId).toBe('a'.repeat(32));
  });
});

describe('a span', () => {
  beforeAll(() => {
    telemetry = startTelemetry({
      service: 'order',
      instance: 'order-1',
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    });
  });
  afterAll(() => telemetry.shutdown());
  beforeEach(() => exporter.reset());

  it('below one that is not sampled has ids of its own in the same trace, and is not recorded', async () => {
    const { span } = startSpan('send', {
      parent: stored.replace(/01$/, '00'),
      attributes: { some: 'thing' },
    });
    span.end();
    const { traceId, spanId, traceFlags } = span.spanContext();
    expect([traceId, traceFlags, span.isRecording()]).toEqual(['a'.repeat(32), 0, false]);
    expect(spanId).not.toBe('b'.repeat(16));
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it('continues a stored traceparent, and what runs inside continues it', async () => {
    const inner = await withSpan(
      'process',
      { kind: SpanKind.CONSUMER, parent: stored, links: [stored] },
      async () => {
        await Promise.resolve();
        return withSpan('decide', {}, () => currentTraceparent());
      },
    );
    const [decide, process] = exporter.getFinishedSpans();
    expect(traceIdOf(inner)).toBe('a'.repeat(32));
    expect(process).toMatchObject({ name: 'process', kind: SpanKind.CONSUMER });
    expect(process?.parentSpanContext?.spanId).toBe('b'.repeat(16));
    expect(process?.links).toHaveLength(1);
    expect(decide?.parentSpanContext?.spanId).toBe(process?.spanContext().spanId);
    expect(process?.resource.attributes).toMatchObject({
      'service.name': 'order',
      'service.instance.id': 'order-1',
    });
  });

  it('of neighbours at the same time do not mix', async () => {
    const seen = await Promise.all(
      ['1', '2', '3'].map((digit) =>
        withSpan('one', { parent: `00-${digit.repeat(32)}-${'b'.repeat(16)}-01` }, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return traceIdOf(currentTraceparent());
        }),
      ),
    );
    expect(seen).toEqual(['1', '2', '3'].map((digit) => digit.repeat(32)));
  });

  it('begins a new trace when the stored one is null or not valid', async () => {
    await withSpan('outer', {}, async () => {
      const outer = traceIdOf(currentTraceparent());
      for (const parent of [
        null,
        'nonsense',
        `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
        `ff${stored.slice(2)}`,
      ]) {
        const inside = await withSpan('inner', { parent }, () => traceIdOf(currentTraceparent()));
        expect(inside).not.toBe(outer);
        expect(inside).toMatch(/^[0-9a-f]{32}$/);
      }
    });
  });

  it('is not recorded when the caller decided so, and keeps its ids', async () => {
    const unsampled = stored.replace(/01$/, '00');
    const inside = await withSpan('work', { parent: unsampled }, () => currentTraceparent());
    expect(inside).toMatch(/^00-a{32}-[0-9a-f]{16}-00$/);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it('that fails says so, and throws on', async () => {
    const failure = new Error('no');
    await expect(
      withSpan('work', {}, () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(exporter.getFinishedSpans()[0]).toMatchObject({ status: { code: 2, message: 'no' } });
  });

  it('of a transaction ends with it, and has failed when it has', async () => {
    const failure = new Error('rolled back');
    const work = (fails: boolean): Promise<void> =>
      withSpans(async (open) => {
        const { within } = open('decide', { parent: stored });
        within(() => {
          describeSpan({ answer: 42 });
          noteInSpan('approved', { by: 'both' });
        });
        await Promise.resolve();
        expect(exporter.getFinishedSpans()).toEqual([]);
        if (fails) throw failure;
      });
    await work(false);
    expect(exporter.getFinishedSpans()).toMatchObject([
      { name: 'decide', attributes: { answer: 42 }, events: [{ name: 'approved' }], status: { code: 0 } },
    ]);
    exporter.reset();
    await expect(work(true)).rejects.toBe(failure);
    expect(exporter.getFinishedSpans()).toMatchObject([
      { status: { code: 2, message: 'rolled back' }, attributes: { 'error.type': 'Error' } },
    ]);
  });

  it('is named in every log line written inside it', async () => {
    const lines: string[] = [];
    const log = logger('order', 'order-1', { write: (line) => lines.push(line) });
    await withSpan('work', { parent: stored }, () => {
      log.warn(
        { order_id: 'o-1', err: new Error('outer', { cause: new Error('inner') }) },
        'command repeated',
      );
    });
    log.info('outside');
    const [inside, outside] = lines.map((line) => JSON.parse(line));
    expect(inside).toMatchObject({
      level: 'warn',
      service: 'order',
      instance: 'order-1',
      order_id: 'o-1',
      trace_id: 'a'.repeat(32),
      msg: 'command repeated',
    });
    expect(new Date(inside.time).toISOString()).toBe(inside.time);
    expect(inside.err.stack).toContain('inner');
    expect(outside.trace_id).toBeUndefined();
  });
});

describe('metrics', () => {
  it('are counted from before telemetry starts, and read as Prometheus text', async () => {
    meter('faultline.test')
      .createCounter('faultline.orders', { description: 'orders' })
      .add(3, { status: 'APPROVED' });
    const text = await prometheusText();
    expect(text).toContain('# TYPE faultline_orders_total counter');
    expect(text).toMatch(/^faultline_orders_total\{status="APPROVED"\} 3$/m);
  });

  it('lose only the values of an observer that throws', async () => {
    const gauges = meter('faultline.test');
    gauges
      .createObservableGauge('faultline.bad')
      .addCallback(() => Promise.reject(new Error('database away')));
    gauges.createObservableGauge('faultline.good').addCallback((result) => result.observe(7));
    expect(await prometheusText()).toMatch(/^faultline_good 7$/m);
  });
});
