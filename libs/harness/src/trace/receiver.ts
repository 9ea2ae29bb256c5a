import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Span, spansOf } from './span.js';

/** An OTLP/HTTP endpoint that keeps every span it is sent. */
export interface TraceReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly Span[];
  close(): Promise<void>;
}

/** Starts a receiver on a free port. A request that is no OTLP in JSON is answered with 400, and its sender complains. */
export async function receiveTraces(): Promise<TraceReceiver> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        spans.push(...spansOf(JSON.parse(Buffer.concat(chunks).toString())));
        response.setHeader('content-type', 'application/json').end('{}');
      } catch (error) {
        response.writeHead(400).end(String(error));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
