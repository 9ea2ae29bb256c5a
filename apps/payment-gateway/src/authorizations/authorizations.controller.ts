import { AuthorizeCard, CardAuthorization, CardBook, CardBookEntries } from '@faultline/contracts';
import {
  AcceptsJson,
  Answers,
  IdempotencyKey,
  Problem,
  TokenOffLoopback,
  whenDraining,
  Zod,
} from '@faultline/http-server';
import { prometheusText } from '@faultline/telemetry';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { type Verb, viewOf } from './authorization.js';
import { Book } from './book.js';
import { Gateway, type GatewayAnswer, unanswered } from './gateway.js';

const Reference = z.uuid().toLowerCase();
const Page = z.object({
  limit: z.coerce.number<string>().int().min(1).max(1000).default(500),
  cursor: z.coerce.number<string>().int().min(0).default(0),
});

@Controller()
@TokenOffLoopback()
export class AuthorizationsController {
  constructor(
    @Inject(Gateway) private readonly gateway: Gateway,
    @Inject(Book) private readonly book: Book,
  ) {}

  @Post('authorizations')
  @HttpCode(200)
  @AcceptsJson(AuthorizeCard)
  @ApiOperation({ summary: 'Hold an amount of a card' })
  @Answers(200, CardAuthorization, 'AUTHORIZED or DECLINED; the same answer for a repeated key')
  authorize(
    @IdempotencyKey() key: string,
    @Body(new Zod(AuthorizeCard)) body: AuthorizeCard,
    @Res() response: Response,
  ): Promise<void> {
    return answer(response, (hurry) => this.gateway.authorize(body, key, hurry));
  }

  @Post('authorizations/:reference/capture')
  @HttpCode(200)
  @Answers(200, CardAuthorization, 'CAPTURED; 409 when nothing is held')
  capture(
    @Param('reference', new Zod(Reference)) reference: string,
    @IdempotencyKey() key: string,
    @Res() response: Response,
  ): Promise<void> {
    return this.#change(reference, 'capture', key, response);
  }

  @Post('authorizations/:reference/void')
  @HttpCode(200)
  @Answers(200, CardAuthorization, 'VOIDED; 409 when nothing is held')
  void(
    @Param('reference', new Zod(Reference)) reference: string,
    @IdempotencyKey() key: string,
    @Res() response: Response,
  ): Promise<void> {
    return this.#change(reference, 'void', key, response);
  }

  @Post('authorizations/:reference/refund')
  @HttpCode(200)
  @Answers(200, CardAuthorization, 'REFUNDED; 409 when nothing was captured')
  refund(
    @Param('reference', new Zod(Reference)) reference: string,
    @IdempotencyKey() key: string,
    @Res() response: Response,
  ): Promise<void> {
    return this.#change(reference, 'refund', key, response);
  }

  @Get('authorizations/:reference')
  @Answers(200, CardAuthorization, 'The authorization; 404 is no proof, it may still be on its way')
  one(@Param('reference', new Zod(Reference)) reference: string): CardAuthorization {
    const found = this.book.find(reference);
    if (!found) throw new Problem({ status: 404, detail: `There is no authorization for ${reference}.` });
    return viewOf(found);
  }

  @Get('book')
  @Answers(200, CardBook, 'Sums over everything')
  sums(): CardBook {
    return this.book.sums();
  }

  @Get('book/entries')
  @Answers(200, CardBookEntries, 'Every authorization, oldest first')
  entries(@Query(new Zod(Page)) { limit, cursor }: z.infer<typeof Page>): CardBookEntries {
    const found = this.book.entries(cursor, limit);
    const last = found.at(-1);
    return {
      items: found.map(({ entry }) => viewOf(entry)),
      nextCursor: last && found.length === limit ? String(last.nr) : null,
    };
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Prometheus text' })
  async metrics(@Res() response: Response): Promise<void> {
    response.type('text/plain; version=0.0.4').send(await prometheusText());
  }

  #change(reference: string, verb: Verb, key: string, response: Response): Promise<void> {
    return answer(response, (hurry) => this.gateway.change(reference, verb, key, hurry));
  }
}

/** A stop hurries what takes its time, and cuts off who waits for an answer that never comes. */
async function answer(
  response: Response,
  work: (hurry: AbortSignal) => Promise<GatewayAnswer>,
): Promise<void> {
  const stopping = new AbortController();
  whenDraining(response, () => stopping.abort());
  const answered = await work(stopping.signal);
  if (answered === unanswered) response.destroy();
  else response.json(answered);
}
