import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@faultline/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, startSystem, type System } from '@faultline/harness';
import { z } from 'zod';

const Attribute = z.object({ key: z.string(), value: z.looseObject({ stringValue: z.string().optional() }) });
const Otlp = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(Attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.int(),
            }),
          ),
        }),
      ),
    }),
  ),
});

interface Seen {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
}

/** An OTLP/HTTP endpoint that keeps every span it is sent. */
async function receiver(): Promise<{ server: Server; url: string; spans: Seen[] }> {
  const spans: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      for (const { resource, scopeSpans } of Otlp.parse(JSON.parse(Buffer.concat(chunks).toString()))
        .resourceSpans) {
        const service =
          resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ service, ...span });
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('one order', () => {
  let collector: Awaited<ReturnType<typeof receiver>>;
  let system: System;
  let client: Client;

  beforeAll(async () => {
    collector = await receiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200' };
    system = await startSystem('traces', { env });
    client = new Client(system.urls);
  });
  afterAll(async () => {
    await system?.stop();
    collector?.server.close();
  });

  it('is one trace over three services and the broker, and every span has its parent in it', async () => {
    const { order } = await client.place(
      { customerId: 'customer-20', lines: [{ sku: 'mug', quantity: 1 }] },
      { prefer: 'wait=30' },
    );
    expect(order?.status).toBe('APPROVED');
    const spansOf = (): Seen[] => collector.spans.filter(({ traceId }) => traceId === order?.traceId);
    const names = (): Record<string, number> =>
      Object.fromEntries(
        [...Map.groupBy(spansOf(), ({ service, name }) => `${service}: ${name}`)].map(([name, all]) => [
          name,
          all.length,
        ]),
      );
    await eventually(
      () =>
        expect(names()).toMatchObject({
          'order: POST /orders': 1,
          // reserve and confirm, authorize and capture; each answered; one event of the decision
          'order: send inventory.commands': 2,
          'order: send payment.commands': 2,
          'inventory: process inventory.commands': 2,
          'payment: process payment.commands': 2,
          'inventory: send order.replies': 2,
          'payment: send order.replies': 2,
          'order: process order.replies': 4,
          'order: send order.events': 1,
        }),
      { within: 15_000 },
    );
    const spans = spansOf();
    const known = new Set(spans.map(({ spanId }) => spanId));
    const roots = spans.filter(({ parentSpanId }) => !parentSpanId);
    expect(roots.map(({ name }) => name)).toEqual(['POST /orders']);
    expect(spans.filter(({ parentSpanId }) => parentSpanId && !known.has(parentSpanId))).toEqual([]);
    const parentOf = (span: Seen): string | undefined =>
      spans.find(({ spanId }) => spanId === span.parentSpanId)?.name;
    for (const span of spans.filter(({ name }) => name.startsWith('process '))) {
      expect(parentOf(span)).toBe(span.name.replace('process', 'send'));
    }
  });
});
