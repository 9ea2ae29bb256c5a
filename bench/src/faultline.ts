import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { System } from '@faultline/harness';
import type { Ended } from './loops.js';
import type { Ordered } from './orders.js';

// As few turns as may be between the clock and the socket: what the generator costs, the system does not get.
const agent = new Agent({ keepAlive: true, maxSockets: 4096, scheduling: 'lifo' });

interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Places an order as a user does, and waits for its decision by `Prefer: wait`. Throws when none comes. */
export async function placeOrder(urls: System['urls'], ordered: Ordered, key = randomUUID()): Promise<Ended> {
  const { status, text } = await post(`${urls.order}/orders`, key, ordered);
  if (status !== 200) throw new Error(`POST /orders: ${status} ${text.slice(0, 200)}`);
  if (text.includes('"status":"APPROVED"')) return 'approved';
  if (text.includes('"status":"REJECTED"')) return 'rejected';
  throw new Error(`no decision: ${text.slice(0, 200)}`);
}

/** The same, repeating the key until the answer is definite: for a service that is killed meanwhile. */
export async function placeOrderUntilDecided(urls: System['urls'], ordered: Ordered): Promise<Ended> {
  const key = randomUUID();
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      return await placeOrder(urls, ordered, key);
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function post(url: string, key: string, { customerId, sku, quantity }: Ordered): Promise<Reply> {
  const body = JSON.stringify({ customerId, lines: [{ sku, quantity }] });
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'idempotency-key': key,
          prefer: 'wait=30',
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
