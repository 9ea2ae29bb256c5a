import type { OrderView, PaymentMethod, Protocol, RejectionReason } from '@faultline/contracts';

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
  /** Cents. The price that was shown when the order was accepted; it binds. */
  readonly unitPrice: number;
}

/** What does not change after an order was accepted. Instants are epoch milliseconds by the database's clock. */
export interface OrderFacts {
  readonly orderId: string;
  readonly customerId: string;
  readonly protocol: Protocol;
  readonly payment: PaymentMethod;
  readonly lines: readonly OrderLine[];
  /** Cents. */
  readonly total: number;
  readonly currency: 'EUR';
  readonly priceSource: 'live' | 'cached';
  readonly createdAt: number;
  readonly deadline: number;
  /** The trace that the order belongs to, from the request that placed it. */
  readonly traceparent: string;
}

export interface Rejection {
  readonly reason: RejectionReason;
  readonly detail: string;
}

type Undecided = { readonly status: 'PENDING' };
/** `settlement` says whether stock and money have followed the decision. */
type Approved = { readonly status: 'APPROVED'; readonly decidedAt: number } & Following<'SETTLED'>;
type Rejected = {
  readonly status: 'REJECTED';
  readonly decidedAt: number;
  readonly rejection: Rejection;
} & Following<'UNDONE'>;
type Following<End> =
  | { readonly settlement: 'SETTLING' | 'SUSPENDED' }
  | { readonly settlement: End; readonly settledAt: number };

/** An order and where it stands. PENDING becomes APPROVED or REJECTED exactly once. */
export type Order = OrderFacts & (Undecided | Approved | Rejected);

export function approve(order: Order, now: number): Order {
  if (order.status !== 'PENDING') throw illegal(order, 'APPROVED');
  return { ...order, status: 'APPROVED', decidedAt: now, settlement: 'SETTLING' };
}

export function reject(order: Order, rejection: Rejection, now: number): Order {
  if (order.status !== 'PENDING') throw illegal(order, 'REJECTED');
  return { ...order, status: 'REJECTED', rejection, decidedAt: now, settlement: 'SETTLING' };
}

/** Stock and money have followed the approval. */
export function settle(order: Order, now: number): Order {
  if (order.status !== 'APPROVED' || order.settlement !== 'SETTLING') throw illegal(order, 'SETTLED');
  return { ...order, settlement: 'SETTLED', settledAt: now };
}

/** Whatever was done for the rejected order has been undone. */
export function undo(order: Order, now: number): Order {
  if (order.status !== 'REJECTED' || order.settlement !== 'SETTLING') throw illegal(order, 'UNDONE');
  return { ...order, settlement: 'UNDONE', settledAt: now };
}

/** The settlement cannot go on by itself. A pending order has none to suspend: its deadline still decides it. */
export function suspendSettlement(order: Order): Order {
  if (order.status === 'PENDING') return order;
  if (order.settlement !== 'SETTLING' && order.settlement !== 'SUSPENDED') throw illegal(order, 'SUSPENDED');
  return { ...order, settlement: 'SUSPENDED' };
}

export function resumeSettlement(order: Order): Order {
  if (order.status === 'PENDING' || order.settlement !== 'SUSPENDED') return order;
  return { ...order, settlement: 'SETTLING' };
}

export function settlementOf(order: Order): OrderView['settlement'] {
  return order.status === 'PENDING' ? 'NONE' : order.settlement;
}

export function isDecided(order: Order): boolean {
  return order.status !== 'PENDING';
}

/** Sum of the lines in cents. Throws RangeError beyond the safe integers: no order is worth a rounding error. */
export function totalOf(lines: readonly OrderLine[]): number {
  const total = lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);
  if (!Number.isSafeInteger(total))
    throw new RangeError('the order is worth more than can be counted exactly');
  return total;
}

/** Whether the total of these lines is a safe integer of cents. */
export function isCountable(
  lines: readonly { readonly sku: string; readonly quantity: number }[],
  prices: ReadonlyMap<string, number>,
): boolean {
  return Number.isSafeInteger(
    lines.reduce((sum, { sku, quantity }) => sum + quantity * (prices.get(sku) ?? 0), 0),
  );
}

function illegal(order: Order, to: string): Error {
  return new Error(`order ${order.orderId} cannot become ${to} from ${order.status}/${settlementOf(order)}`);
}

/** The order as customers see it. */
export function viewOf(order: Order): OrderView {
  const instant = (at: number): string => new Date(at).toISOString();
  const settledAt = order.status !== 'PENDING' && 'settledAt' in order ? order.settledAt : null;
  return {
    orderId: order.orderId,
    customerId: order.customerId,
    protocol: order.protocol,
    payment: order.payment,
    status: order.status,
    rejection: order.status === 'REJECTED' ? order.rejection : null,
    lines: [...order.lines],
    total: order.total,
    currency: order.currency,
    priceSource: order.priceSource,
    settlement: settlementOf(order),
    createdAt: instant(order.createdAt),
    deadline: instant(order.deadline),
    decidedAt: order.status === 'PENDING' ? null : instant(order.decidedAt),
    settledAt: settledAt === null ? null : instant(settledAt),
    traceId: order.traceparent.split('-')[1] ?? '',
  };
}
