import { LedgerEntryView, type PaymentAudit, type WalletView } from '@faultline/contracts';
import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from '../generated/client.js';
import { accountOf } from './ledger.js';

export interface EntryPage {
  readonly items: LedgerEntryView[];
  readonly nextCursor: string | null;
}

/** Reads for people, through Prisma. Connects at the first question. */
export class WalletQueries {
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

  async one(customerId: string): Promise<WalletView | undefined> {
    const row = await this.#prisma.wallet.findUnique({ where: { customerId } });
    return row ? viewOf(row) : undefined;
  }

  /** The customer's side of every posting, newest first. Undefined when there is no such wallet. */
  async entries(
    customerId: string,
    limit: number,
    cursor: number | undefined,
  ): Promise<EntryPage | undefined> {
    const rows = await this.#prisma.ledgerEntry.findMany({
      where: {
        account: accountOf(customerId),
        ...(cursor === undefined ? {} : { id: { lt: BigInt(cursor) } }),
      },
      orderBy: { id: 'desc' },
      take: limit + 1,
    });
    if (rows.length === 0 && !(await this.one(customerId))) return undefined;
    const items = rows.slice(0, limit).map((row) =>
      LedgerEntryView.parse({
        ...row,
        id: String(row.id),
        amount: Number(row.amount),
        at: row.at.toISOString(),
      }),
    );
    return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  /** All sums at one snapshot: between two snapshots a capture would show in one sum and not in the other. */
  async audit(): Promise<PaymentAudit> {
    const [wallets, ledger, cards] = await this.#prisma.$transaction(
      [
        this.#prisma.wallet.findMany({ orderBy: { customerId: 'asc' } }),
        this.#prisma.ledgerEntry.aggregate({ _sum: { amount: true } }),
        this.#prisma.cardPayment.groupBy({
          by: ['status'],
          orderBy: { status: 'asc' },
          _sum: { amount: true },
        }),
      ],
      { isolationLevel: Prisma.TransactionIsolationLevel.RepeatableRead },
    );
    const sum = (...statuses: string[]): number =>
      cards
        .filter((card) => statuses.includes(card.status))
        .reduce((total, card) => total + Number(card._sum?.amount ?? 0), 0);
    return {
      wallets: wallets.map(viewOf),
      ledgerSum: Number(ledger._sum.amount ?? 0),
      // What the gateway has when nothing is under way. A capture or a refund counts when the gateway has said so.
      cards: {
        held: sum('HELD', 'CAPTURING', 'VOIDING'),
        captured: sum('CAPTURED', 'REFUNDING', 'REFUNDED'),
        refunded: sum('REFUNDED'),
      },
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}

function viewOf(row: Prisma.WalletModel): WalletView {
  const balance = Number(row.balance);
  const held = Number(row.held);
  return {
    customerId: row.customerId,
    balance,
    held,
    available: balance - held,
    deposited: Number(row.deposited),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    currency: 'EUR',
  };
}
