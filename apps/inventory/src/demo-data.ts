import type { StockCommands } from './stock/stock.commands.js';

const items = [
  { sku: 'tea-green', name: 'Green tea', unitPrice: 450, quantity: 10_000 },
  { sku: 'tea-black', name: 'Black tea', unitPrice: 390, quantity: 10_000 },
  { sku: 'coffee-beans', name: 'Coffee beans', unitPrice: 1250, quantity: 10_000 },
  { sku: 'mug', name: 'Mug', unitPrice: 990, quantity: 10_000 },
  { sku: 'teapot', name: 'Teapot', unitPrice: 3200, quantity: 10_000 },
  { sku: 'tea-rare', name: 'Rare tea', unitPrice: 9900, quantity: 5 },
];

/**
 * Fills the shelves by the commands that people have. What was ever delivered to is left alone, so a later start adds
 * nothing, and a start that was killed in between is completed by the next one.
 */
export async function createDemoData(stock: StockCommands): Promise<void> {
  for (const { sku, name, unitPrice, quantity } of items) {
    const item = await stock.put(sku, { name, unitPrice });
    if (item.delivered === 0) await stock.deliver(sku, quantity, `demo-data-${sku}`);
  }
}
