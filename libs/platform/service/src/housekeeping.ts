import type { Database } from '@faultline/database';
import { sweepInbox, sweepRedriven } from '@faultline/outbox';
import type { Log } from '@faultline/telemetry';

const hour = 3_600_000;
// Twice what the topics keep (a day): a row must outlive the last chance of its message to come again.
const keepFor = 48 * hour;

/** Forgets once an hour what can no longer matter: inbox rows, redriven dead letters, and what the service adds. */
export class Housekeeping {
  readonly #database: Database;
  readonly #log: Log;
  readonly #own: () => Promise<number>;
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> = Promise.resolve();

  /** `own`: what this service has besides. */
  constructor(database: Database, log: Log, own: () => Promise<number>) {
    this.#database = database;
    this.#log = log;
    this.#own = own;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweep = this.#run();
    }, hour).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweep;
  }

  async #run(): Promise<void> {
    try {
      const inbox = await sweepInbox(this.#database, keepFor);
      const deadLetters = await sweepRedriven(this.#database, keepFor);
      const own = await this.#own();
      if (inbox + deadLetters + own > 0) this.#log.info({ inbox, deadLetters, own }, 'swept');
    } catch (error) {
      this.#log.warn({ err: error }, 'sweep failed: the next one comes in an hour');
    }
  }
}
