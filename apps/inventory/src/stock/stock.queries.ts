import type { InventoryAudit, StockList, StockView } from '@faultline/contracts';
import { PrismaPg } from '@prisma/adapter-pg';
import { type Prisma, PrismaClient } from '../generated/client.js';

/** Reads for people, through Prisma. Connects at the first question. */
export class StockQueries {
  readonly #prisma: PrismaClient;

  constructor(databaseUrl: string) {
    const adapter = new PrismaPg({
      connectionString: databaseUrl,
      max: 3,
      // A frozen database costs a reader an answer, and nobody a connection for ever.
      connectionTimeoutMillis: 3000,
      statement_timeout: 8000,
      query_timeout: 10_000,
    });
    this.#prisma = new PrismaClient({ adapter });
  }

  /** In the order of their SKUs; the cursor is opaque and stays valid while items come and go. */
  async page(limit: number, cursor: string | undefined): Promise<StockList> {
    const rows = await this.#prisma.stock.findMany({
      take: limit + 1,
      orderBy: { sku: 'asc' },
      ...(cursor === undefined ? {} : { where: { sku: { gt: decodeCursor(cursor) } } }),
    });
    const items = rows.slice(0, limit).map(viewOf);
    const last = items.at(-1);
    return { items, nextCursor: rows.length > limit && last ? encodeCursor(last.sku) : null };
  }

  async one(sku: string): Promise<StockView | undefined> {
    const row = await this.#prisma.stock.findUnique({ where: { sku } });
    return row ? viewOf(row) : undefined;
  }

  /** One statement, hence one snapshot. */
  async audit(): Promise<InventoryAudit> {
    const rows = await this.#prisma.stock.findMany({ orderBy: { sku: 'asc' } });
    return { skus: rows.map(viewOf) };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}

function viewOf(row: Prisma.StockModel): StockView {
  const onHand = Number(row.onHand);
  const reserved = Number(row.reserved);
  return {
    sku: row.sku,
    name: row.name,
    unitPrice: Number(row.unitPrice),
    onHand,
    reserved,
    available: onHand - reserved,
    sold: Number(row.sold),
    delivered: Number(row.delivered),
  };
}

const encodeCursor = (sku: string): string => Buffer.from(sku, 'utf8').toString('base64url');
const decodeCursor = (cursor: string): string =>
  Buffer.from(cursor, 'base64url').toString('utf8').replaceAll('\u0000', '');
