import type { Database } from '@faultline/database';
import type { SagaMessage, SagaState } from '@faultline/saga';
import { withSpans } from '@faultline/telemetry';
import type { PrismaClient } from '../../generated/client.js';
import { operatorStep, type SagaStepOptions } from './saga-step.js';
import type { SagaView } from './sagas.controller.js';

type OperatorRequest = Extract<SagaMessage, { readonly type: 'resume' | 'compensate' | 'skip' }>;
type Stored = NonNullable<Awaited<ReturnType<PrismaClient['saga']['findUnique']>>>;

/** What operators see of sagas and may ask of them. */
export class SagaOperations {
  readonly #step: ReturnType<typeof operatorStep>;

  constructor(
    private readonly database: Database,
    private readonly prisma: PrismaClient,
    options: SagaStepOptions,
  ) {
    this.#step = operatorStep(options);
  }

  /** Throws NotAllowed and UnknownSaga; then nothing has changed. */
  async ask(sagaId: string, request: OperatorRequest): Promise<void> {
    const committed = await withSpans((open) =>
      this.database.transaction((tx) => this.#step(tx, sagaId, request, open)),
    );
    committed();
  }

  async find(sagaId: string): Promise<SagaView | null> {
    const stored = await this.prisma.saga.findUnique({ where: { id: sagaId } });
    return stored && viewOf(stored);
  }

  async list(filter: {
    readonly status?: string | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<{ items: SagaView[]; nextCursor: string | null }> {
    const stored = await this.prisma.saga.findMany({
      where: {
        ...(filter.status ? { status: filter.status } : {}),
        ...(filter.cursor ? { id: { lt: filter.cursor } } : {}),
      },
      orderBy: { id: 'desc' },
      take: filter.limit + 1,
    });
    const page = stored.slice(0, filter.limit);
    return {
      items: page.map(viewOf),
      nextCursor: stored.length > filter.limit ? (page.at(-1)?.id ?? null) : null,
    };
  }
}

function viewOf(stored: Stored): SagaView {
  const state = stored.state as unknown as SagaState;
  return {
    sagaId: stored.id,
    definition: stored.definition,
    definitionVersion: stored.definitionVersion,
    version: stored.version,
    status: stored.status,
    phase: state.phase,
    startedAt: new Date(state.startedAt).toISOString(),
    deadline: new Date(state.deadline).toISOString(),
    decision: state.decision,
    steps: state.steps,
    updatedAt: stored.updatedAt.toISOString(),
  };
}
