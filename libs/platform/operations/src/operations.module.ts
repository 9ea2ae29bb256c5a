import { JournalEntry, OrderId } from '@faultline/contracts';
import type { Database } from '@faultline/database';
import { Answers, Problem, TokenOffLoopback, TokenRequired, Zod } from '@faultline/http-server';
import { journalOf } from '@faultline/journal';
import { listDeadLetters, outboxDepth, redrive } from '@faultline/outbox';
import { prometheusText } from '@faultline/telemetry';
import {
  Controller,
  type DynamicModule,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import type { Resilience } from '@faultline/resilience';
import { ResilienceController, resilienceOfThisProcess } from './resilience.controller.js';

export interface OperationsOptions {
  readonly database: Database;
  readonly service: string;
  readonly partitionsOf: (topic: string) => number;
  readonly resilience: Resilience;
}

const options = Symbol('operations');

const DeadLetterQuery = z.strictObject({
  status: z.enum(['DEAD', 'REDRIVEN']).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
});
const DeadLetters = z.object({
  items: z.array(z.looseObject({ id: z.uuid() })),
  nextCursor: z.string().nullable(),
});
const Redriven = z.object({ id: z.uuid(), status: z.literal('REDRIVEN') });
const OutboxDepth = z.object({ depth: z.int(), oldestAgeSeconds: z.number().nullable() });
const JournalAnswer = z.object({ service: z.string(), entries: z.array(JournalEntry) });

@ApiTags('operations')
@Controller()
class OperationsController {
  constructor(@Inject(options) private readonly options: OperationsOptions) {}

  @Get('dead-letters')
  @TokenOffLoopback()
  @ApiOperation({ summary: 'Messages that could take no effect, newest first' })
  @Answers(200, DeadLetters, 'A page of dead letters')
  deadLetters(@Query(new Zod(DeadLetterQuery)) query: z.infer<typeof DeadLetterQuery>): Promise<unknown> {
    const { status, limit, cursor } = query;
    return listDeadLetters(this.options.database, {
      limit,
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  @Post('dead-letters/:id/redrive')
  @HttpCode(202)
  @TokenRequired()
  @ApiOperation({ summary: 'Send a dead letter once more, under its own id' })
  @Answers(202, Redriven, 'It is in the outbox again; the same answer for one that was redriven before')
  async redrive(@Param('id', new Zod(z.uuid())) id: string): Promise<unknown> {
    const redriven = await redrive(this.options.database, id);
    if (redriven === 'UNKNOWN') throw new Problem({ status: 404, detail: `There is no dead letter ${id}.` });
    return { id, status: 'REDRIVEN' };
  }

  @Get('outbox')
  @TokenOffLoopback()
  @ApiOperation({ summary: 'How many messages wait for the broker, and since when' })
  @Answers(200, OutboxDepth, 'Depth and age of the outbox')
  outbox(): Promise<unknown> {
    return outboxDepth(this.options.database);
  }

  @Get('metrics')
  @TokenOffLoopback()
  @ApiOperation({ summary: 'Prometheus text' })
  async metrics(@Res() response: Response): Promise<void> {
    response.type('text/plain; version=0.0.4').send(await prometheusText());
  }

  @Get('internal/journal/:orderId')
  @TokenRequired()
  @ApiOperation({ summary: 'What this service did for an order' })
  @Answers(200, JournalAnswer, 'Its journal, in the order it was written')
  async journal(@Param('orderId', new Zod(OrderId)) orderId: string): Promise<z.infer<typeof JournalAnswer>> {
    const { service, database } = this.options;
    const rows = await journalOf(database, orderId);
    return { service, entries: rows.map((row) => JournalEntry.parse({ service, ...row })) };
  }
}

/** What every service lets operators see and do. */
export class OperationsModule {
  static register(given: OperationsOptions): DynamicModule {
    return {
      module: OperationsModule,
      controllers: [OperationsController, ResilienceController],
      providers: [
        { provide: options, useValue: given },
        { provide: resilienceOfThisProcess, useValue: given.resilience },
      ],
    };
  }
}
