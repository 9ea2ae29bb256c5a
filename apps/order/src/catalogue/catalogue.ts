import { StockList } from '@faultline/contracts';

export interface Prices {
  readonly source: 'live' | 'cached';
  /** Cents per SKU, for every SKU that was asked for. */
  readonly bySku: ReadonlyMap<string, number>;
}

export type PriceAnswer =
  | { readonly known: Prices }
  /** The catalogue was asked just now and does not have these. */
  | { readonly unknown: readonly string[] }
  /** Inventory cannot be reached and what is kept is not enough to answer. */
  | { readonly unavailable: unknown };

/** Reads the whole price list from inventory; throws when inventory cannot be reached. */
export type ReadPriceList = () => Promise<ReadonlyMap<string, number>>;

/**
 * Prices, read from inventory and kept for a short while, so that placing an order costs no call to a neighbour.
 * Fresh prices are `live`. When inventory cannot be reached the kept ones are used up to `usableFor`, labelled `cached`;
 * a SKU that is not among the fresh ones is looked up once more before it is called unknown.
 */
export class Catalogue {
  #prices: ReadonlyMap<string, number> = new Map();
  #readAt: number | null = null;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly read: ReadPriceList,
    private readonly options: {
      /** Milliseconds during which kept prices count as live. */
      readonly freshFor: number;
      /** Milliseconds during which kept prices may be used at all while inventory is away. */
      readonly usableFor: number;
      /** A monotonic clock in milliseconds: only the age of the cache is measured with it. */
      readonly clock: () => number;
    },
  ) {}

  /** Answers at once when fresh prices are at hand; otherwise null. Needs no I/O, so a replayed key never waits for it. */
  atHand(skus: readonly string[]): Prices | null {
    if (this.#age() > this.options.freshFor) return null;
    return this.#select(skus, 'live');
  }

  async pricesOf(skus: readonly string[]): Promise<PriceAnswer> {
    const fresh = this.atHand(skus);
    if (fresh) return { known: fresh };
    try {
      await this.#refresh();
    } catch (error) {
      const kept = this.#age() <= this.options.usableFor ? this.#select(skus, 'cached') : null;
      return kept ? { known: kept } : { unavailable: error };
    }
    const live = this.#select(skus, 'live');
    return live ? { known: live } : { unknown: skus.filter((sku) => !this.#prices.has(sku)) };
  }

  #select(skus: readonly string[], source: 'live' | 'cached'): Prices | null {
    const bySku = new Map<string, number>();
    for (const sku of skus) {
      const price = this.#prices.get(sku);
      if (price === undefined) return null;
      bySku.set(sku, price);
    }
    return { source, bySku };
  }

  #age(): number {
    return this.#readAt === null ? Infinity : this.options.clock() - this.#readAt;
  }

  /** Requests that come while the list is being read share that reading. */
  #refresh(): Promise<void> {
    this.#reading ??= this.read()
      .then((prices) => {
        this.#prices = prices;
        this.#readAt = this.options.clock();
      })
      .finally(() => {
        this.#reading = null;
      });
    return this.#reading;
  }
}

/** Reads every page of inventory's GET /stock. */
export function priceListFrom(get: (path: string) => Promise<StockList>): ReadPriceList {
  return async () => {
    const prices = new Map<string, number>();
    let cursor: string | null = null;
    do {
      const page: StockList = await get(
        `/stock?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      );
      for (const { sku, unitPrice } of page.items) prices.set(sku, unitPrice);
      cursor = page.nextCursor;
    } while (cursor);
    return prices;
  };
}
