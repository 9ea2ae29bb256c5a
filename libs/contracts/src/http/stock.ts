import { z } from 'zod';
import { Cents, Sku } from '../money.js';

export const StockView = z.object({
  sku: Sku,
  name: z.string(),
  unitPrice: Cents,
  onHand: z.int(),
  reserved: z.int(),
  available: z.int(),
  sold: z.int(),
  delivered: z.int(),
});
export type StockView = z.infer<typeof StockView>;

export const PutStock = z.strictObject({
  name: z.string().min(1).max(200),
  unitPrice: Cents.max(10_000_000_000),
});
export type PutStock = z.infer<typeof PutStock>;
export const Delivery = z.strictObject({ quantity: z.int().min(1).max(1_000_000_000) });
export type Delivery = z.infer<typeof Delivery>;
export const StockList = z.object({ items: z.array(StockView), nextCursor: z.string().nullable() });
export type StockList = z.infer<typeof StockList>;
export const InventoryAudit = z.object({ skus: z.array(StockView) });
export type InventoryAudit = z.infer<typeof InventoryAudit>;
