import type { OrderStatus, OrderView, Protocol } from '@faultline/contracts';
import type { PrismaClient } from '../generated/client.js';
import { viewOf, type Order } from './order.js';
import { orderOf, type OrderRow } from './order.store.js';

export interface OrderFilter {
  readonly status?: OrderStatus | undefined;
  readonly protocol?: Protocol | undefined;
  readonly customerId?: string | undefined;
  readonly limit: number;
  /** The last order of the page before: ids are ordered by time. */
  readonly cursor?: string | undefined;
}

type Stored = NonNullable<Awaited<ReturnType<PrismaClient['order']['findUnique']>>>;

/** Orders for people to read. */
export class OrderQueries {
  constructor(private readonly prisma: PrismaClient) {}

  async find(orderId: string): Promise<Order | null> {
    const stored = await this.prisma.order.findUnique({ where: { id: orderId } });
    return stored ? orderOf(rowOf(stored)) : null;
  }

  async list(filter: OrderFilter): Promise<{ items: OrderView[]; nextCursor: string | null }> {
    const stored = await this.prisma.order.findMany({
      where: {
        ...(filter.status ? { status: filter.status } : {}),
        ...(filter.protocol ? { protocol: filter.protocol } : {}),
        ...(filter.customerId ? { customerId: filter.customerId } : {}),
        ...(filter.cursor ? { id: { lt: filter.cursor } } : {}),
      },
      orderBy: { id: 'desc' },
      take: filter.limit + 1,
    });
    const page = stored.slice(0, filter.limit);
    return {
      items: page.map((each) => viewOf(orderOf(rowOf(each)))),
      nextCursor: stored.length > filter.limit ? (page.at(-1)?.id ?? null) : null,
    };
  }
}

function rowOf(stored: Stored): OrderRow {
  // The columns hold what the contract's schemas let in; orderOf checks the combination.
  return {
    ...stored,
    total: Number(stored.total),
    createdAt: stored.createdAt.getTime(),
    deadline: stored.deadline.getTime(),
    decidedAt: stored.decidedAt?.getTime() ?? null,
    settledAt: stored.settledAt?.getTime() ?? null,
  } as unknown as OrderRow;
}
