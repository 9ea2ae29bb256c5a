import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { exportersFrom, samplerFrom } from './export.js';
import { startTelemetry, withSpan } from './index.js';

describe('the sampler', () => {
  it.each([
    [{}, 'ParentBased'],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, 'AlwaysOff'],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }, '0.25'],
  ])('is what the environment says: %j', (env, name) => {
    expect(samplerFrom(env).toString()).toContain(name);
  });

  it.each([
    { OTEL_TRACES_SAMPLER: 'sometimes' },
    { OTEL_TRACES_SAMPLER_ARG: '2' },
    { OTEL_TRACES_SAMPLER_ARG: 'half' },
  ])('is refused when it means nothing: %j', (env) => {
    expect(() => samplerFrom(env)).toThrow(/OTEL_TRACES_SAMPLER/);
  });
});

describe('the export', () => {
  it('is none without an endpoint', () => {
    expect(exportersFrom({})).toEqual([]);
    expect(
      exportersFrom({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }),
    ).toEqual([]);
  });

  it('sends what is left at the end, as OTLP over HTTP', async () => {
    const received: { url: string | undefined; body: string }[] = [];
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          received.push({ url: request.url, body: Buffer.concat(chunks).toString() });
          response.setHeader('content-type', 'application/json').end('{}');
        });
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] =
      `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    try {
      const telemetry = startTelemetry({ service: 'order', instance: 'order-1' });
      await withSpan('decide', {}, () => undefined);
      await telemetry.shutdown();
    } finally {
      delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
      collector.closeAllConnections();
      collector.close();
    }
    expect(received.map(({ url }) => url)).toEqual(['/v1/traces']);
    expect(received[0]?.body).toContain('"decide"');
  });

  it('does not hold up the end when nobody collects', async () => {
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = 'http://127.0.0.1:1';
    process.env['OTEL_EXPORTER_OTLP_TIMEOUT'] = '1000';
    try {
      const telemetry = startTelemetry({ service: 'order', instance: 'order-1' });
      await withSpan('decide', {}, () => undefined);
      const begun = Date.now();
      await telemetry.shutdown();
      expect(Date.now() - begun).toBeLessThan(4000);
    } finally {
      delete process.env['OTEL_EXPORTER_OTLP_TIMEOUT'];
      delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
    }
  });
});
