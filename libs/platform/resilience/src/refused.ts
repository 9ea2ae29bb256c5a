export type RefusalReason =
  'BREAKER_OPEN' | 'ISOLATED' | 'BULKHEAD_FULL' | 'DEADLINE_EXCEEDED' | 'RETRY_BUDGET_EXHAUSTED';

/** A policy said no. Unless its reason is DEADLINE_EXCEEDED, the dependency was not asked. */
export class PipelineRefused extends Error {
  override readonly name = 'PipelineRefused';

  constructor(
    readonly dependency: string,
    readonly reason: RefusalReason,
    /** When it may be worth another try, in milliseconds; null when nobody knows. */
    readonly retryAfterMs: number | null = null,
    cause?: unknown,
  ) {
    super(`${dependency}: ${sentences[reason]}`, { cause });
  }
}

const sentences: Record<RefusalReason, string> = {
  BREAKER_OPEN: 'its breaker is open',
  ISOLATED: 'its breaker was isolated by hand',
  BULKHEAD_FULL: 'too many calls are under way',
  DEADLINE_EXCEEDED: 'the deadline has passed',
  RETRY_BUDGET_EXHAUSTED: 'the budget for retries is used up',
};

/** No answer in time: whether the work took effect is unknown. */
export class AttemptTimedOut extends Error {
  override readonly name = 'AttemptTimedOut';

  constructor(
    readonly dependency: string,
    readonly milliseconds: number,
  ) {
    super(`${dependency}: no answer within ${milliseconds} ms`);
  }
}
