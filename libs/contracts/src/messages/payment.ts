import { z } from 'zod';
import { Cents, Currency, CustomerId, OrderId } from '../money.js';
import { messageKind } from './message.js';

const topic = 'payment.commands';
const command = z.object({ orderId: OrderId, attempt: z.int().min(1) });

export const PaymentMethod = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('wallet') }),
  z.strictObject({ method: z.literal('card'), cardToken: z.string().min(1).max(100) }),
]);
export type PaymentMethod = z.infer<typeof PaymentMethod>;

export const authorizePayment = messageKind(
  'faultline.payment.authorize-payment.v1',
  topic,
  command.extend({ customerId: CustomerId, amount: Cents, currency: Currency, payment: PaymentMethod }),
  'Hold this amount for this order. Refused when it arrives after its deadline.',
);
export const voidPayment = messageKind(
  'faultline.payment.void-payment.v1',
  topic,
  command,
  'Undo the hold. May overtake it: then it leaves a tombstone that refuses the late one.',
);
export const capturePayment = messageKind(
  'faultline.payment.capture-payment.v1',
  topic,
  command,
  'The held amount is charged.',
);
export const refundPayment = messageKind(
  'faultline.payment.refund-payment.v1',
  topic,
  command,
  'Undo the charge: what was captured, or only held, belongs to the customer again.',
);

export const paymentCommands = [authorizePayment, voidPayment, capturePayment, refundPayment] as const;
