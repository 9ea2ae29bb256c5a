// Shelves and wallets for a first look, made by the commands that a user has.
import { Problem } from './problem.mjs';
import { request } from './services.mjs';

export const STOCK = [
  { sku: 'tea-green', name: 'Green tea', unitPrice: 450, quantity: 10_000 },
  { sku: 'tea-black', name: 'Black tea', unitPrice: 390, quantity: 10_000 },
  { sku: 'coffee-beans', name: 'Coffee beans', unitPrice: 1250, quantity: 10_000 },
  { sku: 'mug', name: 'Mug', unitPrice: 990, quantity: 10_000 },
  { sku: 'teapot', name: 'Teapot', unitPrice: 3200, quantity: 10_000 },
  { sku: 'tea-rare', name: 'Rare tea', unitPrice: 9900, quantity: 5 },
];

export const WALLETS = [
  ...Array.from({ length: 100 }, (_, index) => ({ customerId: `customer-${index + 1}`, amount: 1_000_000 })),
  { customerId: 'customer-poor', amount: 0 },
];

/**
 * Creates what is missing. A crash in the middle is harmless: what was done is seen, and what was under way is repeated
 * under the same key. Answers how many things were created.
 */
export async function createDemoData({ urls, token }) {
  const send = async (method, url, body, key) => {
    const headers = { authorization: `Bearer ${token}`, ...(key ? { 'idempotency-key': key } : {}) };
    const answer = await request(url, { method, body, headers, within: 15_000 });
    if (answer.status >= 300)
      throw new Problem(
        `Demo data: ${method} ${url} was answered ${answer.status}: ${answer.text.slice(0, 300)}`,
      );
    return answer;
  };
  const read = async (url) => (await send('GET', url)).json();

  const stock = await read(`${urls.inventory}/stock`);
  const delivered = new Map((stock.items ?? stock).map((item) => [item.sku, item.delivered]));
  const { wallets } = await read(`${urls.payment}/audit`);
  const deposited = new Map(wallets.map((wallet) => [wallet.customerId, wallet.deposited]));

  const work = [
    ...STOCK.filter(({ sku }) => !delivered.get(sku)).map(
      ({ sku, name, unitPrice, quantity }) =>
        async () => {
          const url = `${urls.inventory}/stock/${sku}`;
          await send('PUT', url, { name, unitPrice });
          await send('POST', `${url}/deliveries`, { quantity }, `demo-delivery-${sku}`);
        },
    ),
    ...WALLETS.filter(({ customerId, amount }) =>
      amount === 0 ? !deposited.has(customerId) : !deposited.get(customerId),
    ).map(({ customerId, amount }) => async () => {
      const url = `${urls.payment}/wallets/${customerId}`;
      await send('PUT', url);
      if (amount > 0) await send('POST', `${url}/deposits`, { amount }, `demo-deposit-${customerId}`);
    }),
  ];
  const queue = [...work];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await next();
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return work.length;
}
