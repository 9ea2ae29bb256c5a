import type { BatchControl } from './handling.js';
import type { Kafka, Log } from './kafka.js';
import { Lag } from './lag.js';
import { Membership } from './membership.js';
import type { ReceivedRecord } from './received.js';
import { Stall } from './stall.js';
import { atMost, pause } from './waiting.js';

export interface ConsumerOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** Names this process in its group: it takes the place of its dead predecessor at once. Unique among the living. */
  readonly instanceId: string;
  readonly topics: readonly string[];
  /** How many partitions the topics have together; 64 unless told. kafkajs wakes so many workers with each fetch. */
  readonly partitions?: number;
  /**
   * Handles everything that one fetch brought, over all partitions; within a partition in order. Resolves when it is
   * durable. What it throws is logged, and the same records come again, for ever: offsets move only past what was
   * handled. Records may come more than once, also to two members at a time.
   */
  handle(records: readonly ReceivedRecord[], control: BatchControl): Promise<void>;
  readonly log?: Log;
  onBatch?(size: number): void;
}

export interface ConsumerStatus {
  readonly joined: boolean;
  /** Records in the assigned partitions that are not handled yet, as of the last look (every 5 seconds). */
  readonly lag: number;
  readonly assigned: readonly { readonly topic: string; readonly partition: number }[];
  /** Epoch milliseconds by this process's clock; for people. */
  readonly lastReceivedAt: number | null;
}

export interface RunningConsumer {
  status(): ConsumerStatus;
  /** Lets the batch under way finish, commits its offsets and leaves, in `within` ms (5000) at most. Never throws. */
  stop(within?: number): Promise<void>;
}

/** Milliseconds. */
export interface Rhythm {
  readonly commitEvery: number;
  readonly lookEvery: number;
  /** Whoever is joined, lags and for this long receives nothing never will. */
  readonly silentFor: number;
  /** Whoever cannot join for this long although the broker answers never will. */
  readonly joinWithin: number;
}

const usual: Rhythm = { commitEvery: 1000, lookEvery: 5000, silentFor: 15_000, joinWithin: 40_000 };
const shortestWait = 100;
const longestWait = 1000;

/** Consumes in the background, from now on until it is stopped, whatever the broker does. Never throws. */
export function startConsumer(options: ConsumerOptions, rhythm: Rhythm = usual): RunningConsumer {
  return new GroupConsumer(options, rhythm);
}

/** Keeps one membership alive, and begins another one when kafkajs has given up or is found to be stuck. */
class GroupConsumer implements RunningConsumer {
  readonly #stall: Stall;
  readonly #ends: Lag;
  readonly #stopping = new AbortController();
  readonly #timers: NodeJS.Timeout[];
  #membership: Membership | null = null;
  #changing: Promise<void>;
  #looking = false;
  #wait = shortestWait;
  #lag = 0;
  #lastReceivedAt: number | null = null;
  #unjoinedSince: number | null = null;
  #stopped: Promise<void> | undefined;

  constructor(
    private readonly o: ConsumerOptions,
    private readonly rhythm: Rhythm,
  ) {
    this.#stall = new Stall(rhythm.silentFor);
    this.#ends = new Lag(o.kafka, o.groupId, o.topics);
    this.#changing = this.#begin();
    this.#timers = [
      // Once a second and not per batch: 14.1 -> 12.0 CPU s per 1,000 orders; the inbox pays for what a crash replays.
      setInterval(() => {
        if (this.#membership?.joined) void this.#membership.commit();
      }, rhythm.commitEvery),
      setInterval(() => void this.#look(), rhythm.lookEvery),
    ];
  }

  status(): ConsumerStatus {
    return {
      joined: this.#membership?.joined ?? false,
      lag: this.#lag,
      assigned: this.#membership?.assigned ?? [],
      lastReceivedAt: this.#lastReceivedAt,
    };
  }

  stop(within = 5000): Promise<void> {
    this.#stopped ??= this.#stop(within);
    return this.#stopped;
  }

  async #stop(within: number): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
    await this.#membership?.end(within * 0.9);
    await Promise.all([atMost(within * 0.1, this.#changing), atMost(within * 0.1, this.#ends.close())]);
  }

  async #begin(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const membership: Membership = new Membership({
        ...this.o,
        handle: (records, control) => {
          this.#lastReceivedAt = Date.now();
          this.#wait = shortestWait;
          return this.o.handle(records, control);
        },
        onCrash: (error) => this.#replace(membership, 'it crashed', error),
      });
      this.#membership = membership;
      try {
        await membership.begin();
        return;
      } catch (error) {
        this.o.log?.warn(
          { err: error, groupId: this.o.groupId, retryInMs: this.#wait },
          'consumer cannot start: it keeps trying',
        );
        await membership.end();
        await this.#backOff();
      }
    }
  }

  #replace(membership: Membership, because: string, error?: unknown): void {
    if (this.#stopping.signal.aborted || membership !== this.#membership) return;
    this.#membership = null;
    this.o.log?.warn({ groupId: this.o.groupId, because, err: error }, 'consumer is built anew');
    this.#changing = this.#changing
      .then(() => membership.end())
      .then(() => this.#backOff())
      .then(() => this.#begin());
  }

  async #backOff(): Promise<void> {
    await pause(this.#wait, this.#stopping.signal);
    this.#wait = Math.min(this.#wait * 2, longestWait);
  }

  async #look(): Promise<void> {
    const membership = this.#membership;
    if (!membership || this.#looking) return;
    this.#looking = true;
    try {
      const progress = await this.#ends.measure(membership.assigned, ({ topic, partition }) =>
        membership.nextOf(topic, partition),
      );
      this.#judge(membership, progress);
    } catch {
      // The broker is away: the consumer itself says so.
      this.#unjoinedSince = null;
    } finally {
      this.#looking = false;
    }
  }

  #judge(membership: Membership, progress: Awaited<ReturnType<Lag['measure']>>): void {
    const now = performance.now();
    if (!membership.joined) {
      this.#unjoinedSince ??= now;
      if (now - this.#unjoinedSince < this.rhythm.joinWithin || membership.handling) return;
      this.#unjoinedSince = null;
      this.#replace(membership, 'it does not join, although the broker answers');
      return;
    }
    this.#unjoinedSince = null;
    this.#lag = progress.reduce((sum, { lag }) => sum + lag, 0);
    const stuck = this.#stall.observe(now, progress, membership.handling);
    if (stuck.length > 0) this.#replace(membership, 'it is joined, lags and receives nothing');
  }
}
