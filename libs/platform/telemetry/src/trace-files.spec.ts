import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTelemetry, type Telemetry, withSpan } from './index.js';
import { TraceFiles } from './trace-files.js';

const memory = new InMemorySpanExporter();
const stored = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
let telemetry: Telemetry;
let folder: string;
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const linesOf = (name: string): unknown[] =>
  read(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
const handOver = (exporter: SpanExporter, spans: ReadableSpan[]): Promise<{ code: number; error?: Error }> =>
  new Promise((resolve) => exporter.export(spans, resolve));

/** A finished span of every feature. */
async function aSpan(name = 'process inventory.commands'): Promise<ReadableSpan[]> {
  memory.reset();
  await withSpan(
    name,
    {
      kind: SpanKind.CONSUMER,
      parent: stored,
      links: [stored],
      attributes: { text: 'grün "\\ \n\u0000', count: 3, ratio: 0.5, yes: true, list: ['a', 'b'] },
    },
    (span) => {
      span.addEvent('decided', { reason: 'OUT_OF_STOCK' });
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
    },
  );
  return memory.getFinishedSpans();
}

beforeAll(() => {
  telemetry = startTelemetry({
    service: 'order',
    instance: 'order-1',
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
  });
});
afterAll(() => telemetry.shutdown());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-traces-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('spans in files', () => {
  it('read as those that go out by OTLP', async () => {
    const spans = await aSpan();
    const received: string[] = [];
    const collector = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => received.push(chunk.toString()));
      request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`;
    const otlp = new OTLPTraceExporter({ url });
    await handOver(otlp, spans);
    await otlp.shutdown();
    collector.closeAllConnections();
    collector.close();

    await handOver(new TraceFiles({ folder, instance: 'order-1' }), spans);
    const [line] = linesOf('order-1.jsonl');
    const sent = JSON.parse(received.join('')) as { resourceSpans: { scopeSpans: { spans: object[] }[] }[] };
    const sentSpan = sent.resourceSpans[0]?.scopeSpans[0]?.spans[0] ?? {};
    // What is always zero, and the upper bits of `flags`, are not worth their bytes.
    const { flags: _, ...known } = Object.fromEntries(
      Object.entries(sentSpan).filter(([name]) => !name.startsWith('dropped')),
    ) as Record<string, unknown>;
    expect(line).toMatchObject({
      resourceSpans: [
        {
          resource: {
            attributes: expect.arrayContaining([
              { key: 'service.name', value: { stringValue: 'order' } },
              { key: 'service.instance.id', value: { stringValue: 'order-1' } },
            ]),
          },
          scopeSpans: [{ spans: [{ ...known, events: expect.anything(), links: expect.anything() }] }],
        },
      ],
    });
    expect(known).toMatchObject({
      kind: 5,
      parentSpanId: 'b'.repeat(16),
      status: { code: 2, message: 'no' },
    });
    const text = JSON.stringify(line);
    expect(text).toContain('"name":"decided"');
    expect(text).toContain(`"links":[{"traceId":"${'a'.repeat(32)}","spanId":"${'b'.repeat(16)}"`);
  });

  it('are bounded: what is full takes the place of what is older, and nothing is kept twice', async () => {
    const files = new TraceFiles({ folder, instance: 'order-1', largest: 5000 });
    for (let nth = 1; nth <= 40; nth += 1) await handOver(files, await aSpan(`span ${nth}`));
    expect(readdirSync(folder).sort()).toEqual(['order-1.jsonl', 'order-1.old.jsonl']);
    for (const name of readdirSync(folder))
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(5000);
    const kept = [...linesOf('order-1.old.jsonl'), ...linesOf('order-1.jsonl')].map(
      (line) => /"name":"span (\d+)"/.exec(JSON.stringify(line))?.[1],
    );
    expect(kept.length).toBeGreaterThan(3);
    // The last ones, in order, without a hole.
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => String(41 - kept.length + index)));
  });

  it('are forgotten after their time', async () => {
    const files = new TraceFiles({ folder, instance: 'order-1', longest: 1 });
    await handOver(files, await aSpan('first'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await handOver(files, await aSpan('second'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await handOver(files, await aSpan('third'));
    expect(read('order-1.old.jsonl')).toContain('second');
    expect(read('order-1.jsonl')).toContain('third');
    expect(read('order-1.old.jsonl') + read('order-1.jsonl')).not.toContain('first');
  });

  it('stay legible behind a line that a kill tore off', async () => {
    writeFileSync(join(folder, 'order-1.jsonl'), '{"resourceSpans":[{"res');
    await handOver(new TraceFiles({ folder, instance: 'order-1' }), await aSpan());
    const [torn, whole] = read('order-1.jsonl').split('\n');
    expect(torn).toBe('{"resourceSpans":[{"res');
    expect(JSON.parse(whole ?? '')).toMatchObject({ resourceSpans: [{}] });
  });

  it('of many batches at once are written one after the other, also across a change of files', async () => {
    const batches: ReadableSpan[][] = [];
    for (let nth = 1; nth <= 20; nth += 1) batches.push(await aSpan(`span ${nth}`));
    const files = new TraceFiles({ folder, instance: 'order-1', largest: 18_000 });
    await Promise.all(batches.map((spans) => handOver(files, spans)));
    const kept = [...linesOf('order-1.old.jsonl'), ...linesOf('order-1.jsonl')].map(
      (line) => /"name":"(span \d+)"/.exec(JSON.stringify(line))?.[1],
    );
    expect(kept).toEqual(batches.map(([span]) => span?.name));
  });

  it('that the disk refuses are lost, said once, and writing goes on when it takes them again', async () => {
    const troubles: unknown[] = [];
    const inTheWay = join(folder, 'traces');
    writeFileSync(inTheWay, '');
    const files = new TraceFiles({
      folder: inTheWay,
      instance: 'order-1',
      trouble: (error) => troubles.push(error),
    });
    const spans = await aSpan();
    expect((await handOver(files, spans)).code).toBe(1);
    expect((await handOver(files, spans)).code).toBe(1);
    expect(troubles).toHaveLength(1);
    rmSync(inTheWay);
    expect((await handOver(files, spans)).code).toBe(0);
    expect(linesOf('traces/order-1.jsonl')).toHaveLength(1);
    rmSync(inTheWay, { recursive: true });
    writeFileSync(inTheWay, '');
    await handOver(files, spans);
    expect(troubles).toHaveLength(2);
    await files.shutdown();
  });
});
