import { DatabaseUnavailable, OutcomeUnknown } from '@faultline/database';
import type { Log } from '@faultline/telemetry';
import { pause } from './pause.js';

export interface Waiting {
  readonly log: Log;
  readonly signal: AbortSignal;
  tell(why: string): void;
}

/** Repeats the work, which may be repeated, until no connection breaks it off, or the service stops. */
export async function untilDatabaseTakes(
  { log, signal, tell }: Waiting,
  work: () => Promise<void>,
): Promise<void> {
  let wait = 100;
  while (!signal.aborted) {
    try {
      await work();
      return;
    } catch (error) {
      // The server answered, and the work is what it refused: waiting will not mend it.
      if (!mayPass(error)) throw error;
      tell(messageOf(error));
      log.warn({ because: messageOf(error), retryInMs: wait }, 'database unavailable');
      await pause(wait, signal);
      wait = Math.min(wait * 2, 2000);
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof DatabaseUnavailable || error instanceof OutcomeUnknown) return true;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return error instanceof Error && /terminated|timeout/i.test(error.message);
  return /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|EAI_AGAIN|08|57|53)/.test(code);
}

export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
