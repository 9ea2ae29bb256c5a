import type { Database } from '@faultline/database';
import type { Log } from '@faultline/telemetry';

const everyMinutes = 10;

/** Forgets idempotency keys after their 24 hours, so that the table stays as large as a day. */
export class Housekeeping {
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly log: Log,
  ) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#sweep();
    }, everyMinutes * 60_000);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  async #sweep(): Promise<void> {
    try {
      await this.database.write([expiredKeys]);
    } catch (error) {
      this.log.warn({ err: error }, 'expired idempotency keys could not be forgotten');
    }
  }
}

export const expiredKeys = {
  name: 'key-forget',
  text: `DELETE FROM idempotency_key WHERE created_at < clock_timestamp() - interval '24 hours' RETURNING 1`,
  values: [],
};
