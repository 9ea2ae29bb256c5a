import { Problem } from '@faultline/http-server';

export interface IntakeOptions {
  /** How many rows wait for the broker, and for how many seconds the oldest has. */
  readonly outbox: () => Promise<{ readonly depth: number; readonly oldestAgeSeconds: number | null }>;
  /** Rows, far beyond what an outage of minutes leaves. */
  readonly mostRows: number;
  /** Seconds: an order that is accepted behind so old a row would have too little time left to be decided. */
  readonly oldestAge: number;
  /** Milliseconds between two looks. */
  readonly every?: number;
}

/**
 * Whether orders are still accepted. While the broker is away they are: the outbox keeps them. But nobody is well served
 * by an acceptance that can only end as TIMED_OUT. What was accepted once goes on in any case.
 */
export class Intake {
  #because: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly o: IntakeOptions) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#looking = this.look();
    }, this.o.every ?? 1000).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Never rejects: while the database is away, orders are refused by their own transaction. */
  async look(): Promise<void> {
    const found = await this.o.outbox().catch(() => null);
    if (!found) return;
    const { depth, oldestAgeSeconds } = found;
    const age = oldestAgeSeconds ?? 0;
    this.#because =
      depth >= this.o.mostRows
        ? `${depth} messages wait to be sent`
        : age >= this.o.oldestAge
          ? `messages have waited to be sent for ${Math.floor(age)} s`
          : null;
  }

  /** The refusal for an order that is new; null while orders are accepted. */
  refusal(): Problem | null {
    if (this.#because === null) return null;
    return new Problem({
      status: 503,
      type: 'https://faultline.example/problems/overloaded',
      title: 'No new orders at the moment',
      detail: `It would not be decided in time: ${this.#because}. Nothing was accepted; the key is free.`,
      headers: { 'retry-after': '5' },
    });
  }
}
