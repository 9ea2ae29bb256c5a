import { CustomerId, Deposit, LedgerEntryView, PaymentAudit, WalletView } from '@faultline/contracts';
import { AcceptsJson, Answers, IdempotencyKey, TokenOffLoopback, Zod } from '@faultline/http-server';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { unknownCustomer, WalletCommands } from './wallet.commands.js';
import { type EntryPage, WalletQueries } from './wallet.queries.js';

const Page = z.object({
  limit: z.coerce.number<string>().int().min(1).max(500).default(100),
  cursor: z.coerce.number<string>().int().min(1).optional(),
});
const Entries = z.object({ items: z.array(LedgerEntryView), nextCursor: z.string().nullable() });

@Controller()
@TokenOffLoopback()
export class WalletController {
  constructor(
    @Inject(WalletQueries) private readonly queries: WalletQueries,
    @Inject(WalletCommands) private readonly commands: WalletCommands,
  ) {}

  @Get('wallets/:customerId')
  @Answers(200, WalletView, 'The wallet')
  async one(@Param('customerId', new Zod(CustomerId)) customerId: string): Promise<WalletView> {
    const wallet = await this.queries.one(customerId);
    if (!wallet) throw unknownCustomer(customerId);
    return wallet;
  }

  @Get('wallets/:customerId/entries')
  @Answers(200, Entries, "The customer's side of every posting, newest first")
  async entries(
    @Param('customerId', new Zod(CustomerId)) customerId: string,
    @Query(new Zod(Page)) page: z.infer<typeof Page>,
  ): Promise<EntryPage> {
    const entries = await this.queries.entries(customerId, page.limit, page.cursor);
    if (!entries) throw unknownCustomer(customerId);
    return entries;
  }

  @Put('wallets/:customerId')
  @Answers(200, WalletView, 'There is a wallet; a new one is empty, a known one untouched')
  open(@Param('customerId', new Zod(CustomerId)) customerId: string): Promise<WalletView> {
    return this.commands.open(customerId);
  }

  @Post('wallets/:customerId/deposits')
  @HttpCode(200)
  @AcceptsJson(Deposit)
  @Answers(
    200,
    WalletView,
    'The wallet after the deposit; the same answer for a repeated key, with Idempotency-Replayed',
  )
  async deposit(
    @Param('customerId', new Zod(CustomerId)) customerId: string,
    @IdempotencyKey() key: string,
    @Body(new Zod(Deposit)) { amount }: Deposit,
    @Res({ passthrough: true }) answer: Response,
  ): Promise<WalletView> {
    const { response, replayed } = await this.commands.deposit(customerId, amount, key);
    if (replayed) answer.setHeader('idempotency-replayed', 'true');
    return response;
  }

  @Get('audit')
  @Answers(200, PaymentAudit, 'The sums payment vouches for, at one snapshot')
  audit(): Promise<PaymentAudit> {
    return this.queries.audit();
  }
}
