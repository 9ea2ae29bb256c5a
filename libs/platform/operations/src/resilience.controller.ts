import { Answers, Problem, TokenOffLoopback, TokenRequired, whenDraining } from '@faultline/http-server';
import type { BreakerTransition, BreakerView, Resilience } from '@faultline/resilience';
import { Controller, Get, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';

export const resilienceOfThisProcess = Symbol('resilience');

const Breaker = z.object({
  name: z.string(),
  state: z.enum(['CLOSED', 'OPEN', 'HALF_OPEN', 'ISOLATED']),
  since: z.iso.datetime(),
  cause: z.string().nullable(),
  retryAt: z.iso.datetime().nullable(),
  calls: z.int(),
  failures: z.int(),
  slow: z.int(),
  refused: z.int(),
});
const Bulkhead = z.object({
  name: z.string(),
  limit: z.int(),
  active: z.int(),
  queued: z.int(),
  refused: z.int(),
});
const RetryBudget = z.object({
  name: z.string(),
  tokens: z.number(),
  capacity: z.number(),
  retries: z.int(),
  refused: z.int(),
});
const ResilienceView = z.object({
  breakers: z.array(Breaker),
  bulkheads: z.array(Bulkhead),
  retryBudgets: z.array(RetryBudget),
});

@ApiTags('operations')
@Controller('resilience')
export class ResilienceController {
  constructor(@Inject(resilienceOfThisProcess) private readonly resilience: Resilience) {}

  @Get()
  @TokenOffLoopback()
  @ApiOperation({ summary: 'How breakers, bulkheads and retry budgets stand' })
  @Answers(200, ResilienceView, 'As they stand now')
  view(): z.infer<typeof ResilienceView> {
    const { breakers, bulkheads, retryBudgets } = this.resilience.view();
    return { breakers: breakers.map(shown), bulkheads: [...bulkheads], retryBudgets: [...retryBudgets] };
  }

  @Get('stream')
  @TokenOffLoopback()
  @ApiOperation({ summary: 'Every transition of a breaker as it happens, as server-sent events' })
  stream(@Res() response: Response): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    // Whoever listens knows now that nothing will escape him.
    response.write(': listening\n\n');
    const stop = this.resilience.on((event) => {
      if (event.type === 'breaker-transition')
        response.write(`event: transition\ndata: ${JSON.stringify(told(event))}\n\n`);
    });
    response.once('close', stop);
    response.once('error', stop);
    whenDraining(response, () => response.end());
  }

  @Post('breakers/:name/isolate')
  @HttpCode(200)
  @TokenRequired()
  @ApiOperation({ summary: 'Refuse every call to a dependency until its breaker is released' })
  @Answers(200, Breaker, 'It is isolated')
  isolate(@Param('name') name: string): z.infer<typeof Breaker> {
    return this.#changed(name, this.resilience.isolate(name));
  }

  @Post('breakers/:name/release')
  @HttpCode(200)
  @TokenRequired()
  @ApiOperation({ summary: 'Let the next call probe a dependency whose breaker was isolated' })
  @Answers(200, Breaker, 'It is not isolated; one that never was is as it was')
  release(@Param('name') name: string): z.infer<typeof Breaker> {
    return this.#changed(name, this.resilience.release(name));
  }

  #changed(name: string, known: boolean): z.infer<typeof Breaker> {
    const names = this.resilience.view().breakers;
    const breaker = names.find((each) => each.name === name);
    if (known && breaker) return shown(breaker);
    const there = names.map((each) => each.name).join(', ') || 'none';
    throw new Problem({ status: 404, detail: `There is no breaker ${name} here. There is: ${there}.` });
  }
}

const instant = (milliseconds: number): string => new Date(milliseconds).toISOString();

function shown(breaker: BreakerView): z.infer<typeof Breaker> {
  return {
    ...breaker,
    since: instant(breaker.since),
    retryAt: breaker.retryAt === null ? null : instant(breaker.retryAt),
  };
}

function told({ name, from, to, cause, at, traceId }: BreakerTransition): object {
  return { name, from, to, cause, traceId: traceId ?? null, at: instant(at) };
}
