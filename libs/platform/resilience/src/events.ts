import type { RefusalReason } from './refused.js';

export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'ISOLATED';

interface Happened {
  /** The dependency, as the pipeline is called. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface BreakerTransition extends Happened {
  readonly type: 'breaker-transition';
  readonly from: BreakerState;
  readonly to: BreakerState;
  /** In words: `6 of 10 calls failed within 10 s`. */
  readonly cause: string;
  /** The trace in which it happened, when whoever made this process's Resilience told it how to know. */
  readonly traceId?: string;
}

/** What the policies did. Metrics, spans and streams are listeners: no policy knows of them. */
export type ResilienceEvent =
  | BreakerTransition
  /** One attempt has ended; `milliseconds` is how long it took. */
  | (Happened & {
      readonly type: 'attempt';
      readonly number: number;
      readonly result: 'success' | 'failure' | 'timeout';
      readonly milliseconds: number;
      readonly error?: unknown;
    })
  /** A call was not made, or not made again. */
  | (Happened & { readonly type: 'refused'; readonly reason: RefusalReason })
  /** Another attempt follows after a pause. */
  | (Happened & { readonly type: 'retry'; readonly number: number; readonly pauseMs: number })
  /** The caller was given something else instead. */
  | (Happened & { readonly type: 'fallback'; readonly label: FallbackLabel; readonly error: unknown });

/** What an answer is that did not come from the dependency. */
export type FallbackLabel = 'cached' | 'default' | 'queued';
