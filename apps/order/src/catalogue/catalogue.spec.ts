import { describe, expect, it } from '@jest/globals';
import { Catalogue, priceListFrom } from './catalogue.js';

function shop(prices: Record<string, number>) {
  const state = { now: 0, away: false, reads: 0, prices };
  const catalogue = new Catalogue(
    async () => {
      state.reads += 1;
      if (state.away) throw new Error('inventory is away');
      return new Map(Object.entries(state.prices));
    },
    { freshFor: 5_000, usableFor: 300_000, clock: () => state.now },
  );
  return { state, catalogue };
}

describe('the catalogue', () => {
  it('has nothing at hand before it has read, and answers without reading while its prices are fresh', async () => {
    const { state, catalogue } = shop({ tea: 450 });
    expect(catalogue.atHand(['tea'])).toBeNull();
    expect(await catalogue.pricesOf(['tea'])).toMatchObject({ known: { source: 'live' } });
    expect(catalogue.atHand(['tea'])?.bySku.get('tea')).toBe(450);
    expect(state.reads).toBe(1);
  });

  it('reads again when its prices are no longer fresh', async () => {
    const { state, catalogue } = shop({ tea: 450 });
    await catalogue.pricesOf(['tea']);
    state.now = 5_001;
    state.prices = { tea: 500 };
    expect(catalogue.atHand(['tea'])).toBeNull();
    const answer = await catalogue.pricesOf(['tea']);
    expect('known' in answer && answer.known.bySku.get('tea')).toBe(500);
  });

  it('uses what it kept, labelled cached, while inventory is away, up to an age', async () => {
    const { state, catalogue } = shop({ tea: 450 });
    await catalogue.pricesOf(['tea']);
    state.away = true;
    state.now = 299_000;
    expect(await catalogue.pricesOf(['tea'])).toMatchObject({ known: { source: 'cached' } });
    state.now = 300_001;
    expect(await catalogue.pricesOf(['tea'])).toHaveProperty('unavailable');
  });

  it('is unavailable when it has nothing and cannot read', async () => {
    const { state, catalogue } = shop({});
    state.away = true;
    expect(await catalogue.pricesOf(['tea'])).toHaveProperty('unavailable');
  });

  it('calls a SKU unknown only after it has looked', async () => {
    const { state, catalogue } = shop({ tea: 450 });
    await catalogue.pricesOf(['tea']);
    state.prices = { tea: 450, mug: 990 };
    expect(await catalogue.pricesOf(['mug'])).toMatchObject({ known: { source: 'live' } });
    expect(await catalogue.pricesOf(['ghost', 'tea'])).toEqual({ unknown: ['ghost'] });
  });

  it('reads once for requests that come together', async () => {
    const { state, catalogue } = shop({ tea: 450 });
    await Promise.all([
      catalogue.pricesOf(['tea']),
      catalogue.pricesOf(['tea']),
      catalogue.pricesOf(['tea']),
    ]);
    expect(state.reads).toBe(1);
  });

  it('reads every page of the list', async () => {
    const item = (sku: string) => ({
      sku,
      unitPrice: 1,
      name: sku,
      onHand: 0,
      reserved: 0,
      available: 0,
      sold: 0,
      delivered: 0,
    });
    const paths: string[] = [];
    const read = priceListFrom(async (path) => {
      paths.push(path);
      return paths.length === 1
        ? { items: [item('a')], nextCursor: 'a b' }
        : { items: [item('c')], nextCursor: null };
    });
    expect([...(await read()).keys()]).toEqual(['a', 'c']);
    expect(paths[1]).toBe('/stock?limit=200&cursor=a%20b');
  });
});
