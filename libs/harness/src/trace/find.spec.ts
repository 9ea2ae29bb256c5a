import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { run } from '../commands/trace.js';
import { findTrace } from './find.js';

const orderId = '01990000-0000-7000-8000-000000000001';
const otherId = '01990000-0000-7000-8000-000000000002';
const traceId = 'a'.repeat(32);
let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-traces-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** A line of a trace file: one span in OTLP's JSON. */
const line = (
  name: string,
  { spanId = name, trace = traceId, parent = '', order = orderId, start = Date.parse('2026-01-01') } = {},
): string =>
  `${JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'order' } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: trace,
                spanId,
                ...(parent === '' ? {} : { parentSpanId: parent }),
                name,
                kind: 1,
                startTimeUnixNano: `${start}000000`,
                endTimeUnixNano: `${start + 5}000000`,
                attributes: [{ key: 'faultline.order_id', value: { stringValue: order } }],
              },
            ],
          },
        ],
      },
    ],
  })}\n`;
const keep = (name: string, text: string): void => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
};
const nobody = 'http://127.0.0.1:1';
const find = (url = nobody) => findTrace(orderId, { folder, url });

/** An order service that knows these orders, placed then. */
async function orderService(known: readonly string[], placed: Date, more: object = {}): Promise<string> {
  const view = {
    orderId,
    customerId: 'customer-1',
    protocol: 'saga',
    payment: { method: 'wallet' },
    status: 'APPROVED',
    rejection: null,
    lines: [{ sku: 'mug', quantity: 1, unitPrice: 990 }],
    total: 990,
    currency: 'EUR',
    priceSource: 'live',
    settlement: 'SETTLED',
    createdAt: placed.toISOString(),
    deadline: placed.toISOString(),
    decidedAt: placed.toISOString(),
    settledAt: placed.toISOString(),
    traceId,
    ...more,
  };
  const entry = {
    service: 'order',
    at: placed.toISOString(),
    what: 'place-order',
    messageId: orderId,
    causationId: null,
    attempt: 1,
    outcome: 'PENDING/NONE',
    detail: null,
  };
  server = createServer(({ url = '' }, response) => {
    const [, , id, timeline] = url.split('/');
    if (!known.includes(id ?? '')) response.writeHead(404).end('{}');
    else if (timeline) response.end(JSON.stringify({ orderId, entries: [entry], unanswered: ['payment'] }));
    else response.end(JSON.stringify(view));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the trace of an order', () => {
  it('is read from the files alone while nothing runs: all spans of the trace that accepted it', async () => {
    keep(
      'order-1.jsonl',
      line('POST /orders', { trace: 'b'.repeat(32) }) +
        line('accept order') +
        line('accept order', { order: otherId, trace: 'c'.repeat(32) }),
    );
    keep('payment-1.old.jsonl', line('process payment.commands', { order: 'unknown' }));
    const found = await find();
    expect(found.traceId).toBe(traceId);
    expect(found.spans.map(({ name }) => name).sort()).toEqual(['accept order', 'process payment.commands']);
    expect(found.order).toBeNull();
    expect(found.unanswered).toEqual(['order', 'inventory', 'payment']);
  });

  it('is found by its messages when the process that accepted it was killed', async () => {
    const replay = line('POST /orders', { trace: 'b'.repeat(32) });
    keep('order-1.jsonl', replay + line('send inventory.commands').replace('"kind":1', '"kind":4'));
    expect((await find()).traceId).toBe(traceId);
  });

  it('passes over what a kill tore off, and takes a span once that was written twice', async () => {
    keep('order-1.jsonl', `{"resourceSpans":[{"res\n${line('accept order')}${line('accept order')}`);
    expect((await find()).spans).toHaveLength(1);
  });

  it('comes with order and journal when the order service answers', async () => {
    keep('order-1.jsonl', line('accept order'));
    const found = await find(await orderService([orderId], new Date()));
    expect(found.order).toMatchObject({ status: 'APPROVED' });
    expect(found.journal).toMatchObject([{ what: 'place-order' }]);
    expect(found.unanswered).toEqual(['payment']);
  });
});

describe('what is missing is said', () => {
  const old = new Date('2026-01-01T00:00:00Z');

  it('when nothing runs and nothing is kept', async () => {
    await expect(find()).rejects.toThrow(/does not answer at .*, and no spans are kept in .*npm start/);
  });

  it('when nothing runs and no span names the order', async () => {
    keep('order-1.jsonl', line('accept order', { order: otherId }));
    await expect(find()).rejects.toThrow(/No span of order .* is kept in .*: is the id right\?/);
  });

  it('when the order service does not know the order', async () => {
    keep('order-1.jsonl', line('accept order'));
    await expect(find(await orderService([], old))).rejects.toThrow(`There is no order ${orderId}`);
  });

  it('when the trace is older than what is kept', async () => {
    keep('order-1.jsonl', line('accept order', { order: otherId, trace: 'c'.repeat(32), start: Date.now() }));
    await expect(find(await orderService([orderId], old))).rejects.toThrow(
      /was placed at 2026-01-01 00:00:00 UTC, and the spans that are kept begin at .*: its trace is forgotten/,
    );
  });

  it('when others of its time are kept, so that it was not sampled', async () => {
    keep('order-1.jsonl', line('accept order', { order: otherId, trace: 'c'.repeat(32) }));
    const placed = new Date('2026-01-02');
    await expect(find(await orderService([orderId], placed))).rejects.toThrow(
      /was not sampled \(OTEL_TRACES_SAMPLER/,
    );
  });

  it('when it was placed just now', async () => {
    keep('order-1.jsonl', line('accept order', { order: otherId, trace: 'c'.repeat(32) }));
    await expect(find(await orderService([orderId], new Date()))).rejects.toThrow(
      /not written yet: try again in a second/,
    );
  });

  it('when the folder is another', async () => {
    await expect(find(await orderService([orderId], old))).rejects.toThrow(/no spans are kept in .*--folder/);
  });

  it.each([
    [[], /Name one order/],
    [['a', 'b'], /Name one order/],
    [['order-1'], /order-1 is no order id/],
    [['--colour', orderId], /Unknown option '--colour'/],
  ])('when the command is given %j', async (args, complaint) => {
    await expect(run(args)).rejects.toMatchObject({
      name: 'Problem',
      message: expect.stringMatching(complaint),
    });
  });
});
