import type { Consumer, EachBatchPayload } from 'kafkajs';
import { FetchMerger } from './fetch-merger.js';
import { type BatchControl, handleUntilDone, NoLongerOurs } from './handling.js';
import { asGroupInstance } from './internals.js';
import type { Kafka, Log } from './kafka.js';
import { Offsets } from './offsets.js';
import { receivedRecord, type ReceivedRecord } from './received.js';
import { atMost } from './waiting.js';

export interface MembershipOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly instanceId: string;
  readonly topics: readonly string[];
  readonly partitions?: number;
  readonly log?: Log;
  handle(records: readonly ReceivedRecord[], control: BatchControl): Promise<void>;
  onBatch?(size: number): void;
  /** kafkajs has given up. Called at most once. */
  onCrash(error: unknown): void;
}

// A restarted process takes its own place at once; a replica that stays dead is replaced after this long.
const sessionTimeout = 10_000;
// A member hears of a rebalance at its next heartbeat: what a dead neighbour had is taken over 10 to 12 s after its death.
const heartbeatInterval = 1000;
// A long fetch answers as soon as there is a byte, so that a short one only burns CPU; but a stop has to wait for it.
const longestFetch = 1000;
// 200 to 400 of our messages: above 100 in one transaction nothing more is gained, and locks are held for longer.
const bytesPerPartition = 256 * 1024;
/** Of the time that an end has: for the batch under way, for its offsets, and for leaving. */
const finishing = 0.45;
const committing = 0.15;
const leaving = 0.4;

/** One life of a kafkajs consumer, from joining the group to leaving it. It is not begun twice. */
export class Membership {
  readonly #o: MembershipOptions;
  readonly #consumer: Consumer;
  readonly #offsets = new Offsets();
  readonly #merger: FetchMerger;
  readonly #ending = new AbortController();
  #beginning: Promise<void> = Promise.resolve();
  #control: BatchControl | null = null;
  #committing: Promise<void> = Promise.resolve();
  #isCommitting = false;
  #assigned: readonly { readonly topic: string; readonly partition: number }[] = [];
  #joined = false;
  #handling = false;
  #lastReceivedAt: number | null = null;

  constructor(options: MembershipOptions) {
    this.#o = options;
    this.#merger = new FetchMerger((records) => this.#handle(records));
    this.#consumer = options.kafka.client.consumer({
      groupId: options.groupId,
      sessionTimeout,
      rebalanceTimeout: 10_000,
      heartbeatInterval,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: longestFetch,
      maxBytesPerPartition: bytesPerPartition,
      // Few retries and no restart of its own: a consumer that kafkajs restarts may never receive again, one that is
      // built anew does.
      retry: {
        initialRetryTime: 50,
        maxRetryTime: 1000,
        retries: 6,
        restartOnFailure: () => Promise.resolve(false),
      },
    });
    this.#listen();
  }

  get joined(): boolean {
    return this.#joined;
  }
  get assigned(): readonly { readonly topic: string; readonly partition: number }[] {
    return this.#assigned;
  }
  get handling(): boolean {
    return this.#handling;
  }
  get lastReceivedAt(): number | null {
    return this.#lastReceivedAt;
  }

  /** The next offset to be handled; null while nothing came from this partition. */
  nextOf(topic: string, partition: number): number | null {
    return this.#offsets.nextOf(topic, partition);
  }

  /** Throws when no broker answers. A failure to join is a crash instead. */
  begin(): Promise<void> {
    this.#beginning = asGroupInstance(this.#o.instanceId, async () => {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...this.#o.topics], fromBeginning: true });
      if (this.#ending.signal.aborted) return;
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // As many as a fetch can have partitions: fewer would hand them over one after the other, unmerged.
        partitionsConsumedConcurrently: this.#o.partitions ?? 64,
        eachBatch: (payload) => this.#eachBatch(payload),
      });
    });
    return this.#beginning;
  }

  /** Lets the batch under way finish, commits its offsets and leaves, in `within` ms at most; usually one second. Never throws. */
  async end(within = 4500): Promise<void> {
    this.#ending.abort();
    await atMost(within * finishing, this.#merger.idle());
    if (this.#joined) {
      await atMost(
        within * committing,
        this.#committing.then(() => this.commit()),
      );
    }
    this.#joined = false;
    this.#assigned = [];
    // A consumer that is told to stop while it still joins does not hear it, and then consumes for ever (tulios/
    // kafkajs#1168): it is told when it has joined, if need be after we have gone on.
    const left = this.#beginning.catch(() => undefined).then(() => this.#consumer.disconnect());
    await atMost(within * leaving, left);
  }

  /** Tells the group how far everything is handled. A failure is logged: the next second tries again. */
  commit(): Promise<void> {
    if (this.#isCommitting) return this.#committing;
    const pending = this.#offsets.pending();
    if (pending.length === 0) return Promise.resolve();
    this.#isCommitting = true;
    this.#committing = this.#consumer
      .commitOffsets(pending)
      .then(
        () => this.#offsets.committed(pending),
        (error: unknown) => {
          if (this.#joined)
            this.#o.log?.warn({ err: error, groupId: this.#o.groupId }, 'offsets not committed');
        },
      )
      .finally(() => {
        this.#isCommitting = false;
      });
    return this.#committing;
  }

  #listen(): void {
    const consumer = this.#consumer;
    const { log, groupId, onCrash } = this.#o;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (this.#ending.signal.aborted) return;
      this.#joined = true;
      this.#assigned = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      );
      this.#offsets.keepOnly(this.#assigned);
      log?.info({ groupId, assigned: this.#assigned }, 'consumer joined');
    });
    consumer.on(consumer.events.REBALANCING, () => {
      // The last moment at which this generation may still commit.
      void this.commit();
      this.#joined = false;
    });
    consumer.on(consumer.events.DISCONNECT, () => {
      this.#joined = false;
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#joined = false;
      if (!this.#ending.signal.aborted) onCrash(payload.error);
    });
  }

  async #eachBatch({ batch, isRunning, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const isCurrent = (): boolean => isRunning() && !this.#ending.signal.aborted;
    if (!isCurrent()) return;
    this.#control = { heartbeat, isCurrent };
    const records = batch.messages.map((message) => receivedRecord(batch.topic, batch.partition, message));
    try {
      await this.#merger.add(records);
    } catch (error) {
      // Not resolved: it comes again, here or at another member. kafkajs's own heartbeat now finds the rebalance.
      if (error instanceof NoLongerOurs) return;
      throw error;
    }
    resolveOffset(batch.lastOffset());
    this.#offsets.handled(batch.topic, batch.partition, batch.lastOffset());
  }

  async #handle(records: readonly ReceivedRecord[]): Promise<void> {
    const membership = this.#control;
    if (!membership) throw new NoLongerOurs();
    const { handle, log, groupId } = this.#o;
    this.#handling = true;
    this.#lastReceivedAt = Date.now();
    try {
      await handleUntilDone({ records, membership, handle, log, groupId, signal: this.#ending.signal });
      this.#o.onBatch?.(records.length);
    } finally {
      this.#handling = false;
    }
  }
}
