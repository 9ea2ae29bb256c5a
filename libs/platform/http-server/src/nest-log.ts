import type { Log } from '@faultline/telemetry';
import type { LoggerService } from '@nestjs/common';

/** What Nest says of itself, as events of our log. Its start-up talk is for debugging. */
export function nestLog(log: Log): LoggerService {
  return {
    log: (message: unknown) => {
      log.debug({ nest: String(message) }, 'nest');
    },
    warn: (message: unknown) => {
      log.warn({ nest: String(message) }, 'nest');
    },
    error: (message: unknown, ...rest: unknown[]) => {
      log.error({ nest: String(message), rest }, 'nest');
    },
  };
}
