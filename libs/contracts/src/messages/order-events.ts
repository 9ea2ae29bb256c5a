import { z } from 'zod';
import { Cents, Currency, CustomerId, OrderId } from '../money.js';
import { RejectionReason } from '../http/orders.js';
import { messageKind } from './message.js';

const topic = 'order.events';

export const orderApproved = messageKind(
  'faultline.order.order-approved.v1',
  topic,
  z.object({ orderId: OrderId, customerId: CustomerId, total: Cents, currency: Currency }),
  'Stock is reserved and money is held: the order will be settled.',
);
export const orderRejected = messageKind(
  'faultline.order.order-rejected.v1',
  topic,
  z.object({ orderId: OrderId, customerId: CustomerId, reason: RejectionReason, detail: z.string() }),
  'The order will have no effect; what was done for it is being undone.',
);

export const orderEvents = [orderApproved, orderRejected] as const;
