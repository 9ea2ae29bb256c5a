import { Delivery, InventoryAudit, PutStock, Sku, StockList, StockView } from '@faultline/contracts';
import { AcceptsJson, Answers, IdempotencyKey, TokenOffLoopback, Zod } from '@faultline/http-server';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { StockCommands, unknownSku } from './stock.commands.js';
import { StockQueries } from './stock.queries.js';

const Page = z.object({
  limit: z.coerce.number<string>().int().min(1).max(500).default(100),
  cursor: z.string().min(1).max(400).optional(),
});

@Controller()
export class StockController {
  constructor(
    @Inject(StockQueries) private readonly queries: StockQueries,
    @Inject(StockCommands) private readonly commands: StockCommands,
  ) {}

  @Get('stock')
  @Answers(200, StockList, 'The catalogue, with what is on the shelves')
  list(@Query(new Zod(Page)) page: z.infer<typeof Page>): Promise<StockList> {
    return this.queries.page(page.limit, page.cursor);
  }

  @Get('stock/:sku')
  @Answers(200, StockView, 'One item')
  async one(@Param('sku', new Zod(Sku)) sku: string): Promise<StockView> {
    const item = await this.queries.one(sku);
    if (!item) throw unknownSku(sku);
    return item;
  }

  @Put('stock/:sku')
  @TokenOffLoopback()
  @AcceptsJson(PutStock)
  @Answers(200, StockView, 'The item has this name and price; its quantities are untouched')
  put(@Param('sku', new Zod(Sku)) sku: string, @Body(new Zod(PutStock)) item: PutStock): Promise<StockView> {
    return this.commands.put(sku, item);
  }

  @Post('stock/:sku/deliveries')
  @HttpCode(200)
  @TokenOffLoopback()
  @AcceptsJson(Delivery)
  @Answers(
    200,
    StockView,
    'The item after the delivery; the same answer for a repeated key, with Idempotency-Replayed',
  )
  async deliver(
    @Param('sku', new Zod(Sku)) sku: string,
    @IdempotencyKey() key: string,
    @Body(new Zod(Delivery)) delivery: Delivery,
    @Res({ passthrough: true }) answer: Response,
  ): Promise<StockView> {
    const { response, replayed } = await this.commands.deliver(sku, delivery.quantity, key);
    if (replayed) answer.setHeader('idempotency-replayed', 'true');
    return response;
  }

  @Get('audit')
  @TokenOffLoopback()
  @Answers(200, InventoryAudit, 'The sums inventory vouches for, at one snapshot')
  audit(): Promise<InventoryAudit> {
    return this.queries.audit();
  }
}
