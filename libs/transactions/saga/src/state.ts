/** Where one step stands. Instants are epoch milliseconds by the database's clock. */
export type StepState =
  | { readonly status: 'WAITING' }
  /** The command is out; `since` the first attempt, to be repeated at `retryAt` when no answer has come. */
  | { readonly status: 'SENT'; readonly attempt: number; readonly since: number; readonly retryAt: number }
  | { readonly status: 'DONE'; readonly attempt: number; readonly at: number }
  | { readonly status: 'REFUSED'; readonly at: number; readonly reason: string; readonly detail: string }
  | {
      readonly status: 'COMPENSATING';
      readonly attempt: number;
      readonly since: number;
      readonly retryAt: number;
    }
  | { readonly status: 'COMPENSATED'; readonly at: number }
  /** Cannot go on by itself: a refusal where none is legal, or a dead letter. An operator decides. */
  | {
      readonly status: 'STUCK';
      readonly direction: 'FORWARD' | 'BACKWARD';
      readonly attempt: number;
      readonly since: number;
      readonly reason: string;
      readonly detail: string;
    }
  | { readonly status: 'SKIPPED'; readonly at: number; readonly reason: string };

export type Decision =
  | { readonly approved: true; readonly at: number }
  | { readonly approved: false; readonly at: number; readonly reason: string; readonly detail: string };

/**
 * Everything that is known of a saga: what was sent, answered and is outstanding, since when, at which attempt.
 * DECIDING is before the pivot; COMPLETING and COMPENSATING follow it; the other two are ends.
 */
export interface SagaState {
  readonly phase: 'DECIDING' | 'COMPLETING' | 'COMPENSATING' | 'COMPLETED' | 'COMPENSATED';
  readonly startedAt: number;
  readonly deadline: number;
  readonly decision: Decision | null;
  readonly steps: Readonly<Record<string, StepState>>;
}

export function isSuspended(state: SagaState): boolean {
  return Object.values(state.steps).some((step) => step.status === 'STUCK');
}

export function hasEnded(state: SagaState): boolean {
  return state.phase === 'COMPLETED' || state.phase === 'COMPENSATED';
}

/** What the row and the API call the saga's status: its phase, or SUSPENDED while a step is stuck. */
export function statusOf(state: SagaState): SagaState['phase'] | 'SUSPENDED' {
  return isSuspended(state) ? 'SUSPENDED' : state.phase;
}

/** When the saga must be looked at again though no message comes; null when only a message or an operator can move it. */
export function nextDue(state: SagaState): number | null {
  const due = Object.values(state.steps).flatMap((step) =>
    step.status === 'SENT' || step.status === 'COMPENSATING' ? [step.retryAt] : [],
  );
  if (state.phase === 'DECIDING') due.push(state.deadline);
  return due.length === 0 ? null : Math.min(...due);
}

/** The reasons operators gave for skipping steps; the audit lists them. */
export function skippedReasons(state: SagaState): string[] {
  return Object.entries(state.steps).flatMap(([name, step]) =>
    step.status === 'SKIPPED' ? [`${name}: ${step.reason}`] : [],
  );
}
