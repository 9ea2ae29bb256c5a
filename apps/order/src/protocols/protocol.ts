import type { PlaceOrder, Protocol } from '@faultline/contracts';
import type { Part } from '@faultline/database';
import type { OutgoingMessage } from '@faultline/outbox';
import type { Order } from '../orders/order.js';

/** What a protocol adds to the transaction that accepts orders: its own rows, first messages and due work. */
export interface Beginning {
  readonly parts: readonly Part[];
  readonly messages: readonly OutgoingMessage[];
  readonly due: readonly { readonly kind: string; readonly key: string; readonly dueAt: number }[];
}

/**
 * A way to carry an order across the services. Everything else about an order is the same whichever is chosen, so a
 * further protocol is a folder beside the others and one line in `protocols/index.ts`.
 */
export interface OrderProtocol {
  readonly name: Protocol;
  /** Milliseconds from acceptance until the order is rejected as TIMED_OUT. */
  readonly deadline: number;
  /** Why this order cannot be carried, as a sentence for its customer; null when it can. */
  refuses(order: PlaceOrder): string | null;
  /** Pure: orders that are about to be accepted in one transaction at `now`. */
  begin(orders: readonly Order[], now: number): Beginning;
}

/** Ids for new messages. Randomness comes in as a value, so that a protocol's decisions can be replayed. */
export type NewId = () => string;
