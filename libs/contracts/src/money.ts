import { z } from 'zod';

/** Minor units (cents). Never a float: 0.1 + 0.2 would not be 0.3. */
export const Cents = z.int().nonnegative();
export const Currency = z.literal('EUR');

/** Lower case, so that an id is the same key everywhere. */
export const OrderId = z.uuid().toLowerCase();
export const CustomerId = z.string().min(1).max(100);
export const Sku = z.string().min(1).max(100);
export const Quantity = z.int().min(1).max(1000);
