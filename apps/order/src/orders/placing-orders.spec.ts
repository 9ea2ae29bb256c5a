import { describe, expect, it } from '@jest/globals';
import { Problem } from '@faultline/http-server';
import { Catalogue } from '../catalogue/catalogue.js';
import { orderProtocols } from '../protocols/index.js';
import type { Acceptance } from './acceptance.js';
import { anOrder } from './an-order.spec-data.js';
import { PlacingOrders } from './placing-orders.js';

const body = {
  customerId: 'customer-1',
  lines: [{ sku: 'tea', quantity: 1000 }],
  payment: { method: 'wallet' },
  protocol: 'saga',
} as const;

function shop(price: number | null, known: 'free' | 'bound' = 'free', closed: Problem | null = null) {
  const asked: string[] = [];
  const acceptance = {
    find: async () => (known === 'bound' ? { replayed: anOrder() } : null),
    accept: async () => {
      asked.push('accept');
      return { accepted: anOrder() };
    },
  } as unknown as Acceptance;
  const catalogue = new Catalogue(
    async () => {
      asked.push('catalogue');
      if (price === null) throw new Error('inventory is away');
      return new Map([['tea', price]]);
    },
    { freshFor: 1000, usableFor: 1000, clock: () => 0 },
  );
  const newId = () => 'id';
  const placing = new PlacingOrders(
    acceptance,
    catalogue,
    orderProtocols(newId),
    newId,
    () => '',
    () => closed,
  );
  return { placing, asked };
}

describe('placing an order', () => {
  it('answers a known key before the catalogue is asked', async () => {
    const { placing, asked } = shop(null, 'bound');
    expect(await placing.place('key', { ...body, lines: [...body.lines] })).toMatchObject({ replayed: true });
    expect(asked).toEqual([]);
  });

  it('is refused without a trace when its total cannot be counted exactly', async () => {
    const { placing, asked } = shop(Number.MAX_SAFE_INTEGER);
    await expect(placing.place('key', { ...body, lines: [...body.lines] })).rejects.toMatchObject({
      status: 422,
    });
    expect(asked).toEqual(['catalogue']);
  });

  it.each([
    ['an unknown SKU', { lines: [{ sku: 'ghost', quantity: 1 }] }, 422],
    ['a protocol that is not there yet', { protocol: 'tcc' as const }, 422],
  ])('is refused for %s, and nothing is accepted', async (_, change, status) => {
    const { placing, asked } = shop(450);
    await expect(placing.place('key', { ...body, lines: [...body.lines], ...change })).rejects.toMatchObject({
      status,
    });
    expect(asked).not.toContain('accept');
  });

  it('is refused while no new orders are accepted, and a known key is answered all the same', async () => {
    const closed = new Problem({ status: 503 });
    const { placing, asked } = shop(450, 'free', closed);
    await expect(placing.place('key', { ...body, lines: [...body.lines] })).rejects.toBe(closed);
    expect(asked).toEqual([]);
    const bound = shop(450, 'bound', closed);
    expect(await bound.placing.place('key', { ...body, lines: [...body.lines] })).toMatchObject({
      replayed: true,
    });
  });

  it('is refused for now, with the key free, when there are no prices', async () => {
    const { placing, asked } = shop(null);
    const refused = placing.place('key', { ...body, lines: [...body.lines] });
    await expect(refused).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(asked).not.toContain('accept');
  });
});
