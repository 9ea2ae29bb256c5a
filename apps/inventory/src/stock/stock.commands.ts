import type { StockView } from '@faultline/contracts';
import type { Database, Transaction } from '@faultline/database';
import { Problem } from '@faultline/http-server';
import { onlyOnce, type Once } from '@faultline/service';
import { available, deliver, type Shelf } from './stock.js';
import { lockAndLoad, putItemPart, saveParts } from './stock.store.js';

/** What people do to stock: name and price an item, take a delivery. The same commands create the demo data. */
export class StockCommands {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async put(sku: string, item: { readonly name: string; readonly unitPrice: number }): Promise<StockView> {
    return this.#database.transaction(async (tx) => {
      const { shelves } = await lockAndLoad(tx, [], [sku]);
      await tx.write([putItemPart(sku, item.name, item.unitPrice)]);
      const shelf = shelves.get(sku) ?? (await lockAndLoad(tx, [], [sku])).shelves.get(sku);
      if (!shelf) throw new Error(`item ${sku} vanished while it was put`);
      return viewOf(shelf, item);
    });
  }

  /** Once per key. Throws a 404 for an unknown SKU, which leaves the key free. */
  async deliver(sku: string, quantity: number, key: string): Promise<Once<StockView>> {
    return this.#database.transaction((tx) =>
      onlyOnce(tx, { key, request: { deliver: sku, quantity } }, async () => {
        const loaded = await lockAndLoad(tx, [], [sku]);
        const shelf = loaded.shelves.get(sku);
        const item = await itemOf(tx, sku);
        if (!shelf || !item) throw unknownSku(sku);
        const delivered = deliver(shelf, quantity);
        if ('refused' in delivered)
          throw new Problem({ status: 422, title: 'Too much', detail: delivered.detail });
        const after = { reservations: loaded.reservations, shelves: new Map([[sku, delivered]]) };
        await tx.write(saveParts(loaded, after, loaded.now));
        return viewOf(delivered, item);
      }),
    );
  }
}

export function unknownSku(sku: string): Problem {
  return new Problem({ status: 404, title: 'Unknown SKU', detail: `There is no item ${sku}.` });
}

async function itemOf(
  tx: Transaction,
  sku: string,
): Promise<{ name: string; unitPrice: number } | undefined> {
  const [item] = await tx.query<{ name: string; unitPrice: number }>({
    name: 'item-of',
    text: 'SELECT name, unit_price AS "unitPrice" FROM stock WHERE sku = $1',
    values: [sku],
  });
  return item;
}

function viewOf(shelf: Shelf, item: { readonly name: string; readonly unitPrice: number }): StockView {
  return {
    sku: shelf.sku,
    name: item.name,
    unitPrice: item.unitPrice,
    onHand: shelf.onHand,
    reserved: shelf.reserved,
    available: available(shelf),
    sold: shelf.sold,
    delivered: shelf.delivered,
  };
}
