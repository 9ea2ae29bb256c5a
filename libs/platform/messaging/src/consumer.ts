import type { Admin, Consumer as KafkaJsConsumer, EachBatchPayload } from 'kafkajs';
import { FetchMerger } from './fetch-merger.js';
import { asGroupInstance } from './internals.js';
import type { Kafka, Log } from './kafka.js';
import { Offsets } from './offsets.js';
import { receivedRecord, type ReceivedRecord } from './received.js';

export interface BatchControl {
  /** Keeps the membership during long work; it is also kept by itself, every 3 seconds. */
  heartbeat(): Promise<void>;
  /** False once the group has moved on: what is handled now will be handled by another member, too. */
  isCurrent(): boolean;
}

export interface ConsumerOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** Names this process in its group: it takes the place of its dead predecessor at once. Unique among the living. */
  readonly instanceId: string;
  readonly topics: readonly string[];
  /**
   * Handles everything that one fetch brought, over all partitions. Resolves when it is durable. What it throws is
   * logged, and the same records come again, for ever: offsets move only past what was handled.
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
  /** Lets the batch under way finish, commits its offsets and leaves. At most a few seconds. */
  stop(): Promise<void>;
}

const commitEvery = 1000;
const lookEvery = 5000;
// Twice the fetch wait and a session: whoever is joined, lags and still receives nothing then never will.
const silentFor = 15_000;
const sessionTimeout = 10_000;
const stopWithin = 3000;

/** Consumes in the background, from now on until it is stopped, whatever the broker does. Never throws. */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
  return new GroupConsumer(options);
}

class GroupConsumer implements RunningConsumer {
  readonly #o: ConsumerOptions;
  readonly #admin: Admin;
  readonly #merger: FetchMerger;
  #offsets = new Offsets();
  #consumer: KafkaJsConsumer | null = null;
  #control: BatchControl | null = null;
  #assigned: { topic: string; partition: number }[] = [];
  #joined = false;
  #lag = 0;
  #lastReceivedAt: number | null = null;
  #lastSign = performance.now();
  #handling = false;
  #stopping = false;
  #building: Promise<void>;
  readonly #timers: NodeJS.Timeout[];
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ConsumerOptions) {
    this.#o = options;
    this.#admin = options.kafka.client.admin();
    this.#merger = new FetchMerger((records) => this.#handle(records));
    this.#building = this.#build();
    this.#timers = [
      setInterval(() => void this.#commit(), commitEvery),
      setInterval(() => {
        this.#looking = this.#looking.then(() => this.#look());
      }, lookEvery),
    ];
  }

  status(): ConsumerStatus {
    return {
      joined: this.#joined,
      lag: this.#lag,
      assigned: this.#assigned,
      lastReceivedAt: this.#lastReceivedAt,
    };
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await atMost(stopWithin, this.#building);
    await this.#discard();
    await atMost(1000, this.#admin.disconnect());
  }

  // ---- one life of a kafkajs consumer ---------------------------------------------------------------------------

  async #build(): Promise<void> {
    const { kafka, groupId, instanceId, topics, log } = this.#o;
    let wait = 100;
    while (!this.#stopping) {
      const consumer = kafka.client.consumer({
        groupId,
        sessionTimeout,
        rebalanceTimeout: 10_000,
        heartbeatInterval: 3000,
        allowAutoTopicCreation: false,
        // A long fetch answers as soon as there is a byte: a short wait only burns CPU.
        maxWaitTimeInMs: 2000,
        retry: {
          initialRetryTime: 50,
          maxRetryTime: 1000,
          retries: 1000,
          restartOnFailure: () => Promise.resolve(true),
        },
      });
      this.#consumer = consumer;
      this.#offsets = new Offsets();
      this.#listen(consumer);
      try {
        await asGroupInstance(instanceId, async () => {
          await consumer.connect();
          await consumer.subscribe({ topics: [...topics], fromBeginning: true });
          await consumer.run({
            autoCommit: false,
            eachBatchAutoResolve: false,
            partitionsConsumedConcurrently: 64,
            eachBatch: (payload) => this.#eachBatch(payload),
          });
        });
        this.#lastSign = performance.now();
        return;
      } catch (error) {
        log?.warn({ err: error, groupId, retryInMs: wait }, 'consumer cannot start: it keeps trying');
        await this.#discard();
        await pause(wait);
        wait = Math.min(wait * 2, 1000);
      }
    }
  }

  #listen(consumer: KafkaJsConsumer): void {
    const { log, groupId } = this.#o;
    const current = (): boolean => this.#consumer === consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (!current()) return;
      this.#joined = true;
      this.#lastSign = performance.now();
      this.#assigned = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      );
      this.#offsets.keepOnly(this.#assigned);
      log?.info({ groupId, assigned: this.#assigned }, 'consumer joined');
    });
    consumer.on(consumer.events.REBALANCING, () => {
      if (!current()) return;
      this.#joined = false;
      void this.#commit();
    });
    consumer.on(consumer.events.DISCONNECT, () => {
      if (current()) this.#joined = false;
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!current()) return;
      this.#joined = false;
      log?.warn({ groupId, err: payload.error, restarts: payload.restart }, 'consumer crashed');
      if (!payload.restart) this.#rebuild('it crashed for good');
    });
  }

  #rebuild(because: string): void {
    if (this.#stopping) return;
    this.#o.log?.warn({ groupId: this.#o.groupId, because }, 'consumer is built anew');
    this.#building = this.#building.then(() => this.#discard()).then(() => this.#build());
  }

  async #discard(): Promise<void> {
    const consumer = this.#consumer;
    if (!consumer) return;
    // The last offsets first: kafkajs's stop() leaves the group, and who has left cannot commit. Never from inside a batch.
    await atMost(stopWithin, this.#idle());
    await atMost(1000, this.#commit());
    await atMost(stopWithin, consumer.stop());
    this.#consumer = null;
    this.#joined = false;
    this.#assigned = [];
    await atMost(stopWithin, consumer.disconnect());
  }

  /** Resolves when no batch is being handled and what was handled is among the offsets. */
  async #idle(): Promise<void> {
    while (this.#handling) await pause(5);
    await new Promise((resolve) => setImmediate(resolve));
  }

  // ---- batches --------------------------------------------------------------------------------------------------

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, isRunning, isStale, resolveOffset, heartbeat } = payload;
    const isCurrent = (): boolean => isRunning() && !isStale() && !this.#stopping;
    if (!isCurrent()) return;
    this.#control = { heartbeat, isCurrent };
    const records = batch.messages.map((message) => receivedRecord(batch.topic, batch.partition, message));
    try {
      await this.#merger.add(records);
    } catch (error) {
      // Only a batch that the group took away ends so: it comes again, here or at another member.
      if (error instanceof NoLongerOurs) return;
      throw error;
    }
    resolveOffset(batch.lastOffset());
    this.#offsets.handled(batch.topic, batch.partition, batch.lastOffset());
  }

  async #handle(records: readonly ReceivedRecord[]): Promise<void> {
    const control = this.#control;
    if (!control) return;
    this.#handling = true;
    this.#lastReceivedAt = Date.now();
    // A rebalance that shows up here is dealt with by kafkajs after the batch.
    const beat = setInterval(() => void control.heartbeat().catch(() => undefined), 2500);
    try {
      let wait = 50;
      for (;;) {
        if (!control.isCurrent()) throw new NoLongerOurs();
        try {
          await this.#o.handle(records, control);
          this.#o.onBatch?.(records.length);
          return;
        } catch (error) {
          this.#o.log?.warn(
            { err: error, groupId: this.#o.groupId, size: records.length, retryInMs: wait },
            'batch failed: it comes again',
          );
          await pause(wait);
          wait = Math.min(wait * 2, 1000);
        }
      }
    } finally {
      clearInterval(beat);
      this.#handling = false;
      this.#lastSign = performance.now();
    }
  }

  // ---- offsets and lag ------------------------------------------------------------------------------------------

  /** Offsets are committed once a second and not per batch; the inbox pays for what a crash replays. */
  async #commit(): Promise<void> {
    const offsets = this.#offsets;
    const consumer = this.#consumer;
    const pending = offsets.pending();
    if (!consumer || pending.length === 0) return;
    try {
      await consumer.commitOffsets(pending);
      offsets.committed(pending);
    } catch (error) {
      // While the group is rebalancing nothing can be committed; the next second will do.
      if (!this.#stopping && this.#joined)
        this.#o.log?.warn({ err: error, groupId: this.#o.groupId }, 'offsets not committed');
    }
  }

  /** Measures the lag, and finds the consumer that is joined, lags and receives nothing: it never will again. */
  async #look(): Promise<void> {
    if (this.#stopping || !this.#joined) return;
    try {
      await this.#admin.connect();
      let lag = 0;
      for (const topic of this.#o.topics) {
        const [ends, [group]] = await Promise.all([
          this.#admin.fetchTopicOffsets(topic),
          this.#admin.fetchOffsets({ groupId: this.#o.groupId, topics: [topic] }),
        ]);
        for (const { partition } of this.#assigned.filter((each) => each.topic === topic)) {
          const end = Number(ends.find((each) => each.partition === partition)?.high ?? 0);
          const low = Number(ends.find((each) => each.partition === partition)?.low ?? 0);
          const committed = Number(
            group?.partitions.find((each) => each.partition === partition)?.offset ?? -1,
          );
          const handled = this.#offsets.nextOf(topic, partition);
          lag += Math.max(0, end - Math.max(low, committed, handled ?? -1));
        }
      }
      this.#lag = lag;
      if (lag > 0 && !this.#handling && performance.now() - this.#lastSign > silentFor) {
        this.#rebuild('it is joined, lags and receives nothing');
      }
      if (lag === 0) this.#lastSign = performance.now();
    } catch {
      // The broker is away: the consumer itself says so.
    }
  }
}

class NoLongerOurs extends Error {
  override readonly name = 'NoLongerOurs';
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

// kafkajs can hang while it stops (tulios/kafkajs#1168, #967); whatever it holds then ends with its session.
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work.catch(() => undefined),
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    }),
  ]);
  clearTimeout(timer);
}
