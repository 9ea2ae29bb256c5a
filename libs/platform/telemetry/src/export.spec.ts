import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  const exporting = { instance: 'order-1', trouble: () => undefined };
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
  const files = { FAULTLINE_TRACES: '/nowhere' };

  it.each([
    ['nowhere without a setting', {}, 0],
    ['to the endpoint', endpoint, 1],
    ['into files', files, 1],
    ['to both, independently', { ...endpoint, ...files }, 2],
    ['nowhere when it is told so', { ...endpoint, ...files, OTEL_TRACES_EXPORTER: 'none' }, 0],
    ['nowhere when telemetry is off', { ...endpoint, ...files, OTEL_SDK_DISABLED: 'true' }, 0],
  ])('goes %s', async (_, env, ways) => {
    const processors = exportersFrom(env, exporting);
    expect(processors).toHaveLength(ways);
    await Promise.all(processors.map((processor) => processor.shutdown()));
  });

  it.each(['soon', '0', '-1'])('is refused a delay of %s', (delay) => {
    expect(() => exportersFrom({ ...endpoint, OTEL_BSP_SCHEDULE_DELAY: delay }, exporting)).toThrow(
      `OTEL_BSP_SCHEDULE_DELAY must be a number above 0, not ${delay}`,
    );
  });

  it('writes what was sampled into the folder, soon and by itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-traces-'));
    process.env['FAULTLINE_TRACES'] = folder;
    const begun = performance.now();
    const telemetry = startTelemetry({ service: 'order', instance: 'order-7' });
    try {
      await withSpan('kept', {}, () => undefined);
      await withSpan('not sampled', { parent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` }, () => undefined);
      const file = join(folder, 'order-7.jsonl');
      while (!existsSync(file) || !readFileSync(file, 'utf8').endsWith('\n'))
        await new Promise((resolve) => setTimeout(resolve, 5));
      expect(readFileSync(file, 'utf8')).toContain('"name":"kept"');
      expect(performance.now() - begun).toBeLessThan(4000);
      await telemetry.shutdown();
      expect(readFileSync(file, 'utf8')).not.toContain('not sampled');
    } finally {
      await telemetry.shutdown();
      delete process.env['FAULTLINE_TRACES'];
      rmSync(folder, { recursive: true });
    }
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
