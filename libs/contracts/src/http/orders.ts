import { z } from 'zod';
import { Cents, Currency, CustomerId, OrderId, Quantity, Sku } from '../money.js';
import { PaymentMethod } from '../messages/payment.js';

export const Protocol = z.enum(['saga', 'choreography', 'tcc', '2pc']);
export type Protocol = z.infer<typeof Protocol>;

export const PlaceOrder = z.strictObject({
  customerId: CustomerId,
  lines: z
    .array(z.strictObject({ sku: Sku, quantity: Quantity }))
    .min(1)
    .max(50)
    .refine((lines) => new Set(lines.map((line) => line.sku)).size === lines.length, {
      error: 'a SKU may appear only once',
    }),
  payment: PaymentMethod.default({ method: 'wallet' }),
  protocol: Protocol.default('saga'),
});
export type PlaceOrder = z.infer<typeof PlaceOrder>;

export const OrderStatus = z.enum(['PENDING', 'APPROVED', 'REJECTED', 'CANCELLED']);
export type OrderStatus = z.infer<typeof OrderStatus>;
export const Settlement = z.enum(['NONE', 'SETTLING', 'SETTLED', 'UNDONE', 'SUSPENDED']);
export type Settlement = z.infer<typeof Settlement>;
export const RejectionReason = z.enum([
  'OUT_OF_STOCK',
  'INSUFFICIENT_FUNDS',
  'CARD_DECLINED',
  'UNKNOWN_CUSTOMER',
  'TIMED_OUT',
]);
export type RejectionReason = z.infer<typeof RejectionReason>;

const Instant = z.iso.datetime();

export const OrderView = z.object({
  orderId: OrderId,
  customerId: CustomerId,
  protocol: Protocol,
  payment: PaymentMethod,
  status: OrderStatus,
  rejection: z.object({ reason: RejectionReason, detail: z.string() }).nullable(),
  lines: z.array(z.object({ sku: Sku, quantity: Quantity, unitPrice: Cents })),
  total: Cents,
  currency: Currency,
  priceSource: z.enum(['live', 'cached']),
  settlement: Settlement,
  createdAt: Instant,
  deadline: Instant,
  decidedAt: Instant.nullable(),
  settledAt: Instant.nullable(),
  traceId: z.string(),
});
export type OrderView = z.infer<typeof OrderView>;

export const OrderAudit = z.object({
  orders: z.array(
    z.object({ status: OrderStatus, settlement: Settlement, protocol: Protocol, count: z.int() }),
  ),
  netAmount: z.object({ wallet: z.int(), card: z.int() }),
  netQuantities: z.record(Sku, z.int()),
  suspended: z.array(OrderId),
  skipped: z.array(z.object({ orderId: OrderId, reason: z.string() })),
});
export type OrderAudit = z.infer<typeof OrderAudit>;
