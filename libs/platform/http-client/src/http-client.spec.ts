import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { DependencyRefused, DependencyUnavailable, httpClient, type HttpClient } from './index.js';

let server: Server | undefined;

async function clientOf(answer: RequestListener, timeoutMs = 1000): Promise<HttpClient> {
  server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return httpClient({
    baseUrl: `http://127.0.0.1:${port}`,
    name: 'neighbour',
    timeoutMs,
    serviceToken: 'secret',
  });
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const schema = z.object({ ok: z.boolean() });

describe('a call to a neighbour', () => {
  it('answers what the schema says, and carries the token and the time that remains', async () => {
    let seen: unknown;
    const client = await clientOf((request, response) => {
      seen = request.headers;
      response.end('{"ok":true}');
    });
    expect(await client.get('/x', schema)).toEqual({ ok: true });
    expect(seen).toMatchObject({ authorization: 'Bearer secret', 'x-remaining-ms': '1000' });
  });

  it('is unavailable when nobody answers in time, and closes its socket', async () => {
    let closed: Promise<unknown> | undefined;
    const client = await clientOf((request) => {
      closed = once(request.socket, 'close');
    }, 50);
    await expect(client.get('/x', schema)).rejects.toBeInstanceOf(DependencyUnavailable);
    expect(closed).toBeDefined();
    await closed;
  });

  it('is unavailable when nobody listens, for a 5xx, and for an answer outside the contract', async () => {
    const nobody = httpClient({ baseUrl: 'http://127.0.0.1:1', name: 'neighbour', timeoutMs: 500 });
    await expect(nobody.get('/x', schema)).rejects.toBeInstanceOf(DependencyUnavailable);
    const failing = await clientOf((request, response) => {
      response.writeHead(request.url === '/503' ? 503 : 200).end('{"ok":"perhaps"}');
    });
    await expect(failing.get('/503', schema)).rejects.toThrow('it answered 503');
    await expect(failing.get('/200', schema)).rejects.toThrow('not what its contract says');
  });

  it('is refused by a 4xx', async () => {
    const client = await clientOf((_, response) => {
      response.writeHead(404).end();
    });
    await expect(client.get('/x', schema)).rejects.toMatchObject({ status: 404 });
    await expect(client.get('/x', schema)).rejects.toBeInstanceOf(DependencyRefused);
  });

  it('that refuses says which problem it is, if it says so itself', async () => {
    const bodies = ['{"type":"https://x/problems/wrong-status"}', '{"type":7}', 'null', 'no json', ''];
    let asked = 0;
    const client = await clientOf((_, response) => void response.writeHead(409).end(bodies[asked++]));
    const types: unknown[] = [];
    for (const _ of bodies)
      await client.get('/x', schema).catch((error: unknown) => types.push((error as DependencyRefused).type));
    expect(types).toEqual(['https://x/problems/wrong-status', null, null, null, null]);
  });
});
