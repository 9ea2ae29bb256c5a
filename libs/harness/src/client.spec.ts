import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { Client } from './client.js';

const orderId = '01a20fb9-d45f-7531-af96-6baf51480d1c';
const order = {
  orderId,
  customerId: 'customer-1',
  protocol: 'saga',
  payment: { method: 'wallet' },
  status: 'PENDING',
  rejection: null,
  lines: [{ sku: 'mug', quantity: 1, unitPrice: 990 }],
  total: 990,
  currency: 'EUR',
  priceSource: 'live',
  settlement: 'NONE',
  createdAt: '2026-01-01T00:00:00.000Z',
  deadline: '2026-01-01T00:02:00.000Z',
  decidedAt: null,
  settledAt: null,
  traceId: '0af7651916cd43dd8448eb211c80319c',
};
const body = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A client of a service that gives these answers, one after the other; `reset` breaks the connection. */
async function clientOf(...answers: (number | 'reset' | 'replayed')[]): Promise<Client> {
  const server = createServer((request, response) => {
    const answer = answers.shift() ?? 202;
    if (answer === 'reset') return request.socket.destroy();
    const replayed = answer === 'replayed';
    response.writeHead(replayed ? 202 : answer, {
      location: `/orders/${orderId}`,
      ...(replayed ? { 'idempotency-replayed': 'true' } : {}),
    });
    response.end(JSON.stringify(order));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new Client({ order: url, payment: url, inventory: url });
}

async function ask(client: Client, times: number): Promise<readonly string[]> {
  for (let n = 0; n < times; n += 1)
    await client.ask(body, { key: 'a' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') throw error;
    });
  return client.contradictions;
}

it('notes an order that is replayed although its key was only ever refused', async () => {
  expect(await ask(await clientOf(503, 429, 'replayed'), 3)).toEqual([
    expect.stringContaining(`order ${orderId} replayed after nothing but 503, 429`),
  ]);
});

it('notes nothing when one of the answers before said nothing definite', async () => {
  expect(await ask(await clientOf(503, 'reset', 'replayed'), 3)).toEqual([]);
  expect(await ask(await clientOf(500, 'replayed'), 2)).toEqual([]);
});

it('notes nothing when the order is new', async () => {
  expect(await ask(await clientOf(503, 202), 2)).toEqual([]);
});
