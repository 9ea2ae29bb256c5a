import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** Another living process holds the name. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

export interface HeldName {
  /** Others may have it from now on. */
  release(): Promise<void>;
}

export interface NameOptions {
  readonly url: string;
  readonly name: string;
  /** How long to wait for whoever holds it, in milliseconds: the server needs a moment to see that a process died. */
  readonly within?: number;
  /** The connection broke, and somebody else had the name before this process could take it again. */
  onLost(error: NameTaken): void;
}

// The server asks after a silent machine, and lets the name go when it has not answered for six seconds.
const keepalives = '-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3';

/**
 * Holds a name among all that use this database, for as long as this process lives: an advisory lock of a session of its
 * own, which ends with the process, by kill -9 at once. A process that is only frozen keeps its name. When the server
 * was restarted, the name is taken again in the background. Throws NameTaken while another one holds it, and whatever
 * keeps the server from being reached.
 */
export async function holdName(options: NameOptions): Promise<HeldName> {
  const holding = new Holding(options);
  await holding.take();
  return holding;
}

class Holding implements HeldName {
  #client: pg.Client | undefined;
  #released = false;

  constructor(private readonly o: NameOptions) {}

  async take(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.o.url,
      application_name: `${this.o.name} (name)`,
      connectionTimeoutMillis: 3000,
      query_timeout: 3000,
      options: keepalives,
    });
    // A server that stops ends the connection, and `end` says so.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await this.#lock(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#released) return client.end();
    this.#client = client;
    client.once('end', () => void this.#takeAgain());
  }

  async release(): Promise<void> {
    this.#released = true;
    await this.#client?.end();
  }

  async #lock(client: pg.Client): Promise<void> {
    const until = performance.now() + (this.o.within ?? 3000);
    for (;;) {
      const { rows } = await client.query<{ held: boolean }>(
        `SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held`,
        [`faultline-name/${this.o.name}`],
      );
      if (rows[0]?.held) return;
      if (performance.now() >= until) {
        throw new NameTaken(
          `another living process is called ${this.o.name}: end it, or give this one a name of its own`,
        );
      }
      await pause(50);
    }
  }

  async #takeAgain(): Promise<void> {
    while (!this.#released) {
      try {
        await this.take();
        return;
      } catch (error) {
        if (error instanceof NameTaken) {
          this.o.onLost(error);
          return;
        }
        await pause(500);
      }
    }
  }
}
