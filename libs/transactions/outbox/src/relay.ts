import type { Database } from '@faultline/database';
import { type Producer, RefusedByBroker } from '@faultline/messaging';
import { type Held, Leases } from './lease.js';
import type { Log } from './log.js';
import { sendTraced } from './send.js';
import { type Refused, setAside, settle, settleAndTake, takeWaiting, type Waiting } from './waiting.js';

export interface RelayOptions {
  readonly database: Database;
  readonly producer: Producer;
  /** Names this process; two living ones must not share it. */
  readonly owner: string;
  /** The partition numbers of all topics, 0 to n - 1. */
  readonly partitions: readonly number[];
  readonly log?: Log;
  /** Milliseconds until another relay may take over from one that died. */
  readonly leaseMs?: number;
}

export interface RelayStatus {
  /** Partition numbers that this relay publishes. */
  readonly partitions: readonly number[];
  readonly published: number;
  /** Why the last round failed; null when it did not. */
  readonly failing: string | null;
}

const fullRound = 500;
const shortestPoll = 5;
const longestPoll = 250;
// A statement less in most rounds of a busy relay; a crash meanwhile has so much more published twice.
const settleWithin = 30;
const longestBackoff = 1000;
const vacuumEvery = 5000;
const drainFor = 1000;
const leaveWithin = 300;

/**
 * Carries committed outbox rows to the broker, at least once and each order's in their order: claim the partitions by
 * lease, publish what waits, settle (delete) what the broker acknowledged. Only one send is under way at a time.
 */
export class Relay {
  readonly #o: RelayOptions;
  readonly #leases: Leases;
  readonly #leaseMs: number;
  readonly #publishing = new Pause();
  readonly #claiming = new Pause();
  // Not ended by hints: they come with every commit, and would turn the backoff into a busy loop.
  readonly #retrying = new Pause();
  #loops: Promise<unknown> | undefined;
  #underWay: Promise<unknown> = Promise.resolve();
  #stopping = false;
  #drainUntil = Infinity;
  #published = 0;
  #failing: string | null = null;
  /** What was read along with the last settling, and under which leases. */
  #ahead: { readonly held: Held; readonly rows: readonly Waiting[] } | undefined;
  #vacuumed = { at: -Infinity, published: 0 };
  #vacuum: Promise<void> = Promise.resolve();

  constructor(options: RelayOptions) {
    this.#o = options;
    this.#leaseMs = options.leaseMs ?? 5000;
    this.#leases = new Leases(options.database, options.owner, options.partitions, this.#leaseMs);
  }

  start(): void {
    this.#loops ??= Promise.all([this.#claim(), this.#publish()]);
  }

  /** Publishes what waits for up to a second more, then gives the leases back; in `within` milliseconds at most. */
  async stop(within = 3300): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#drainUntil = performance.now() + Math.min(drainFor, within / 2);
    this.#claiming.end();
    this.#publishing.end();
    this.#retrying.end();
    // A frozen broker may hold a send for longer than a process has to end: what it does to the row is known to nobody.
    await atMost(Math.max(0, within - leaveWithin), Promise.all([this.#loops, this.#vacuum]));
    const left = this.#leases.leave().catch((error: unknown) => {
      this.#o.log?.warn({ err: error }, 'relay leases could not be given back');
    });
    await atMost(leaveWithin, left);
  }

  /** Something was committed to the outbox by this process: look now. Cheap. */
  hint(): void {
    this.#publishing.end();
  }

  status(): RelayStatus {
    return {
      partitions: [...this.#leases.held().keys()],
      published: this.#published,
      failing: this.#failing,
    };
  }

  async #claim(): Promise<void> {
    let before = '';
    while (!this.#stopping) {
      try {
        await this.#leases.refresh();
        const surplus = this.#leases.dropSurplus();
        const held = [...this.#leases.held().keys()];
        if (held.join() !== before) {
          before = held.join();
          this.#o.log?.info({ partitions: held }, 'relay leases');
          this.#publishing.end();
        }
        // A round that is under way may publish from what is given back: it settles first, so that nothing comes twice.
        if (surplus.size > 0) {
          await atMost(this.#leaseMs / 2, this.#underWay);
          await this.#leases.release(surplus);
        }
        await this.#claiming.wait(this.#leaseMs / (this.#leases.wantsMore() ? 20 : 5));
      } catch (error) {
        this.#o.log?.warn({ err: error }, 'relay leases could not be refreshed');
        await this.#claiming.wait(Math.min(longestBackoff, this.#leaseMs / 10));
      }
    }
  }

  async #publish(): Promise<void> {
    let poll = shortestPoll;
    let hinted = false;
    let backoff = 50;
    for (;;) {
      const stopping = this.#stopping;
      if (performance.now() > this.#drainUntil) return;
      try {
        const round = this.#round();
        this.#underWay = round.catch(() => undefined);
        const found = await round;
        this.#failing = null;
        backoff = 50;
        if (found > 0) {
          // Only what no hint told of makes another look soon worth while: rows that another process wrote.
          if (!hinted) poll = shortestPoll;
          this.#vacuumNowAndThen();
          if (found >= fullRound) continue;
        } else if (stopping) return;
        hinted = await this.#publishing.wait(poll);
        poll = Math.min(longestPoll, poll * 1.5);
      } catch (error) {
        if (this.#stopping) return;
        const because = error instanceof Error ? error.message : String(error);
        if (this.#failing === null)
          this.#o.log?.warn({ err: error }, 'relay cannot publish: it keeps trying');
        this.#failing = because;
        await this.#retrying.wait(backoff / 2 + (Math.random() * backoff) / 2);
        backoff = Math.min(longestBackoff, backoff * 2);
      }
    }
  }

  /** Claimed partitions: publish, settle. Answers how many rows it found. */
  async #round(): Promise<number> {
    // A copy: a renewal in the meantime must not lend its fence to rows that were read under an older one.
    const held = new Map(this.#leases.held());
    if (held.size === 0) return 0;
    const { producer } = this.#o;
    const rows = await this.#take(held);
    if (rows.length === 0 || !this.#stillHolds(held)) return 0;
    try {
      await sendTraced(
        producer,
        rows.map(({ record }) => record),
      );
    } catch (error) {
      if (!(error instanceof RefusedByBroker)) throw error;
      await this.#publishOneByOne(rows, held);
      return rows.length;
    }
    await this.#settle(rows, held);
    return rows.length;
  }

  async #take(held: Held): Promise<readonly Waiting[]> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead && ahead.held.size === held.size && isSubset(ahead.held, held)) return ahead.rows;
    const rows = await takeWaiting(this.#o.database, [...held.keys()]);
    return rows;
  }

  // The broker refuses a request as a whole: alone, each row shows whether it is the guilty one.
  async #publishOneByOne(rows: readonly Waiting[], held: Held): Promise<void> {
    const taken: Waiting[] = [];
    const refused: Refused[] = [];
    let failure: { readonly error: unknown } | undefined;
    for (const row of rows) {
      if (!this.#stillHolds(held)) break;
      try {
        await sendTraced(this.#o.producer, [row.record]);
        taken.push(row);
      } catch (error) {
        if (!(error instanceof RefusedByBroker)) {
          failure = { error };
          break;
        }
        refused.push({ row, because: error.message });
      }
    }
    if (taken.length > 0) await this.#settle(taken, held);
    // It may hold what is about to be set aside.
    this.#ahead = undefined;
    if (refused.length > 0) {
      const positions = refused.map(({ row, because }) => ({
        topic: row.record.topic,
        seq: row.seq,
        because,
      }));
      this.#o.log?.error({ refused: positions }, 'the broker refuses messages for good: dead-lettered');
      await setAside(this.#o.database, refused, held);
    }
    if (failure) throw failure.error;
  }

  async #settle(rows: readonly Waiting[], held: Held): Promise<void> {
    this.#published += rows.length;
    // What was sent can wait for its deletion: with luck the next rows come meanwhile, and are read along with it.
    const deleted = (await this.#publishing.wait(settleWithin))
      ? await this.#settleAndLookAhead(rows, held)
      : await settle(this.#o.database, rows, held);
    if (deleted === rows.length) return;
    this.#o.log?.warn(
      { published: rows.length, deleted },
      'relay lost a lease while it published: duplicates follow',
    );
    this.#claiming.end();
  }

  // More was committed meanwhile, says a hint: the next round begins with what comes back here.
  async #settleAndLookAhead(rows: readonly Waiting[], held: Held): Promise<number> {
    const { deleted, next } = await settleAndTake(this.#o.database, rows, held);
    if (next.length > 0) {
      this.#ahead = { held, rows: next };
      this.#publishing.end();
    }
    return deleted;
  }

  #stillHolds(held: Held): boolean {
    return isSubset(held, this.#leases.held());
  }

  // Dead index entries slow every later ORDER BY seq LIMIT 500: 7.7 against 6.7 CPU seconds per 1,000 orders.
  #vacuumNowAndThen(): void {
    const now = performance.now();
    if (now - this.#vacuumed.at < vacuumEvery || this.#vacuumed.published === this.#published) return;
    this.#vacuumed = { at: now, published: this.#published };
    this.#vacuum = this.#o.database
      .query({ text: 'VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF, PARALLEL 0) outbox' })
      .then(
        () => undefined,
        (error: unknown) => {
          this.#o.log?.warn({ err: error }, 'the outbox could not be vacuumed');
        },
      );
  }
}

function isSubset(held: Held, of: Held): boolean {
  return [...held].every(([partition, fence]) => of.get(partition) === fence);
}

/** A wait that can be cut short, also before it begins. */
class Pause {
  #ended = false;
  #wake: (() => void) | undefined;

  /** Answers whether it was cut short. */
  async wait(milliseconds: number): Promise<boolean> {
    if (!this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const ended = this.#ended;
    this.#ended = false;
    return ended;
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    }),
  ]);
  clearTimeout(timer);
}
