import { Answers, Problem, TokenOffLoopback, TokenRequired, Zod, AcceptsJson } from '@faultline/http-server';
import { NotAllowed } from '@faultline/saga';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { UnknownSaga } from './order-sagas.js';
import { SagaOperations } from './saga-operations.js';

export const SagaView = z.object({
  sagaId: z.uuid(),
  definition: z.string(),
  definitionVersion: z.int(),
  version: z.int(),
  status: z.string(),
  phase: z.string(),
  startedAt: z.iso.datetime(),
  deadline: z.iso.datetime(),
  decision: z.unknown(),
  /** Per step: where it stands, which attempt, since when, why. */
  steps: z.record(z.string(), z.unknown()),
  updatedAt: z.iso.datetime(),
});
export type SagaView = z.infer<typeof SagaView>;
const SagaList = z.object({ items: z.array(SagaView), nextCursor: z.string().nullable() });
const ListQuery = z.strictObject({
  status: z
    .enum(['DECIDING', 'COMPLETING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'SUSPENDED'])
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.uuid().optional(),
});
const Reason = z.strictObject({ reason: z.string().min(1).max(500) });

@ApiTags('operations')
@Controller('sagas')
export class SagasController {
  constructor(@Inject(SagaOperations) private readonly sagas: SagaOperations) {}

  @Get()
  @TokenOffLoopback()
  @ApiOperation({ summary: 'Sagas by status, newest first' })
  @Answers(200, SagaList, 'A page of sagas')
  list(@Query(new Zod(ListQuery)) query: z.infer<typeof ListQuery>): Promise<z.infer<typeof SagaList>> {
    return this.sagas.list(query);
  }

  @Get(':sagaId')
  @TokenOffLoopback()
  @ApiOperation({ summary: 'What was sent, answered, is outstanding, since when and at which attempt' })
  @Answers(200, SagaView, 'The saga')
  async get(@Param('sagaId') sagaId: string): Promise<SagaView> {
    const saga = z.uuid().safeParse(sagaId).success ? await this.sagas.find(sagaId) : null;
    return saga ?? missing(sagaId);
  }

  @Post(':sagaId/resume')
  @HttpCode(202)
  @TokenRequired()
  @ApiOperation({ summary: 'Send the stuck steps again' })
  @Answers(202, SagaView, 'The saga goes on')
  resume(@Param('sagaId') sagaId: string): Promise<SagaView> {
    return this.#ask(sagaId, { type: 'resume' });
  }

  @Post(':sagaId/compensate')
  @HttpCode(202)
  @TokenRequired()
  @ApiOperation({ summary: 'Before the decision: reject the order and undo what was done' })
  @AcceptsJson(Reason)
  @Answers(202, SagaView, 'The saga turns back')
  compensate(
    @Param('sagaId') sagaId: string,
    @Body(new Zod(Reason)) { reason }: z.infer<typeof Reason>,
  ): Promise<SagaView> {
    return this.#ask(sagaId, { type: 'compensate', reason });
  }

  @Post(':sagaId/skip')
  @HttpCode(202)
  @TokenRequired()
  @ApiOperation({ summary: 'After the decision: go on without the stuck steps. The audit lists it' })
  @AcceptsJson(Reason)
  @Answers(202, SagaView, 'The saga goes on')
  skip(
    @Param('sagaId') sagaId: string,
    @Body(new Zod(Reason)) { reason }: z.infer<typeof Reason>,
  ): Promise<SagaView> {
    return this.#ask(sagaId, { type: 'skip', reason });
  }

  async #ask(sagaId: string, request: Parameters<SagaOperations['ask']>[1]): Promise<SagaView> {
    if (!z.uuid().safeParse(sagaId).success) missing(sagaId);
    try {
      await this.sagas.ask(sagaId, request);
    } catch (error) {
      if (error instanceof UnknownSaga) missing(sagaId);
      if (error instanceof NotAllowed) {
        throw new Problem({
          status: 409,
          title: `The saga cannot be told to ${request.type}`,
          detail: error.message,
        });
      }
      throw error;
    }
    return (await this.sagas.find(sagaId)) ?? missing(sagaId);
  }
}

function missing(sagaId: string): never {
  throw new Problem({ status: 404, title: 'No such saga', detail: `There is no saga ${sagaId}.` });
}
