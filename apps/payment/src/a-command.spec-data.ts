import { randomUUID } from 'node:crypto';
import type { MessageKind } from '@faultline/contracts';
import { encodeHeaders, type ReceivedRecord } from '@faultline/messaging';

let offset = 0;

export interface Sent {
  readonly id?: string;
  readonly deadline?: number | null;
  readonly attempt?: number;
  readonly pay?: { readonly customerId: string; readonly amount: number; readonly cardToken?: string };
}

/** A command as it lies in its topic. */
export function command(kind: MessageKind, orderId: string, sent: Sent = {}): ReceivedRecord {
  const { id = randomUUID(), deadline = null, attempt = 1, pay } = sent;
  const headers = encodeHeaders({
    id,
    type: kind.type,
    source: '/order',
    subject: orderId,
    time: new Date().toISOString(),
    correlationId: orderId,
    causationId: null,
    deadline,
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  });
  return {
    topic: kind.topic,
    partition: 0,
    offset: String(offset++),
    key: Buffer.from(orderId),
    value: Buffer.from(
      JSON.stringify({
        orderId,
        attempt,
        ...(pay
          ? {
              customerId: pay.customerId,
              amount: pay.amount,
              currency: 'EUR',
              payment: pay.cardToken ? { method: 'card', cardToken: pay.cardToken } : { method: 'wallet' },
            }
          : {}),
      }),
    ),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  };
}
