import {
  checkTopics,
  ensureTopics,
  openKafka,
  openProducer,
  type Producer,
  type RunningConsumer,
  startConsumer,
} from '@faultline/messaging';
import { type ConsumerOptions } from '@faultline/messaging';
import { Relay, type RelayStatus } from '@faultline/outbox';
import type { Database } from '@faultline/database';
import type { Log } from '@faultline/telemetry';
import { pause } from './pause.js';
import { StopBudget } from './stop-budget.js';

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
}

export interface Consumption {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly handle: ConsumerOptions['handle'];
}

export interface BrokerSideOptions {
  readonly brokers: readonly string[];
  readonly instance: string;
  readonly database: Database;
  readonly topics: readonly TopicSpec[];
  readonly consumptions: readonly Consumption[];
  readonly log: Log;
  readonly onBatch?: (groupId: string, size: number) => void;
  /** What the relay sends through, instead of the producer itself. */
  readonly through?: (producer: Producer) => Producer;
  /** Milliseconds between two comparisons of the topics. */
  readonly compareEvery?: number;
}

type State =
  | { readonly is: 'connecting'; readonly because: string }
  | { readonly is: 'disagreeing'; readonly about: string }
  | { readonly is: 'running' };

/**
 * Everything of a service that needs the broker. It comes and goes with it, in the background: a service without a
 * broker still serves REST. Relay and consumers run only while every topic has the partitions of its contract;
 * otherwise the messages of an order would no longer share a partition.
 */
export class BrokerSide {
  #state: State = { is: 'connecting', because: 'not tried yet' };
  #running: { relay: Relay; producer: Producer; consumers: ReadonlyMap<string, RunningConsumer> } | undefined;
  #loop: Promise<void> | undefined;
  #stopping = new AbortController();
  readonly #o: BrokerSideOptions;

  constructor(options: BrokerSideOptions) {
    this.#o = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Wakes the relay: something was committed to the outbox. */
  hint(): void {
    this.#running?.relay.hint();
  }

  state(): State {
    return this.#state;
  }

  /** Null without a broker. */
  relay(): RelayStatus | null {
    return this.#running?.relay.status() ?? null;
  }

  consumers(): ReadonlyMap<string, ReturnType<RunningConsumer['status']>> {
    return new Map(
      [...(this.#running?.consumers ?? [])].map(([group, consumer]) => [group, consumer.status()]),
    );
  }

  /** Consumers first, so that what they have committed is still relayed. In `within` milliseconds at most. */
  async stopConsuming(within = 4000): Promise<void> {
    const budget = new StopBudget(within);
    this.#stopping.abort();
    // An attempt to reach an absent broker may take longer than a stop is allowed to.
    await budget.step('broker', Promise.resolve(this.#loop), within * 0.6);
    const consumers = [...(this.#running?.consumers.values() ?? [])];
    await Promise.all(consumers.map((consumer) => consumer.stop(budget.left())));
  }

  /** In `within` milliseconds at most, and in as many again when the consumers still run. */
  async stop(within = 4000): Promise<void> {
    await this.stopConsuming(within);
    const budget = new StopBudget(within);
    const running = this.#running;
    this.#running = undefined;
    await running?.relay.stop(budget.left(within * 0.2));
    await budget.step('producer', running?.producer.close() ?? Promise.resolve());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const kafka = openKafka({ brokers: this.#o.brokers, clientId: this.#o.instance }, this.#o.log);
    let wait = 200;
    while (!signal.aborted) {
      try {
        if (!this.#running) await ensureTopics(kafka, [...this.#o.topics]);
        const differing = await checkTopics(kafka, [...this.#o.topics]);
        if (signal.aborted) return;
        if (differing.length > 0) {
          const about = differing
            .map(({ topic, expected, found }) => `${topic} has ${found} partitions instead of ${expected}`)
            .join('; ');
          this.#o.log.error({ about }, 'topics disagree with their contract');
          await this.#halt();
          this.#state = { is: 'disagreeing', about };
          await pause(5000, signal);
          continue;
        }
        if (!this.#running) await this.#begin(kafka);
        this.#state = { is: 'running' };
        wait = 200;
        await pause(this.#o.compareEvery ?? 30_000, signal);
      } catch (error) {
        if (signal.aborted) return;
        // Relay and consumers ride out the broker's absence by themselves: only a disagreement stops them.
        const because = error instanceof Error ? error.message : String(error);
        this.#state = { is: 'connecting', because };
        this.#o.log.warn({ because, retryInMs: wait }, 'broker unavailable');
        await pause(wait, signal);
        wait = Math.min(wait * 2, 2000);
      }
    }
  }

  async #begin(kafka: ReturnType<typeof openKafka>): Promise<void> {
    const { database, instance, log, onBatch } = this.#o;
    const producer = (this.#o.through ?? ((bare) => bare))(openProducer(kafka));
    try {
      await producer.connect();
    } catch (error) {
      await producer.close().catch(() => undefined);
      throw error;
    }
    if (this.#stopping.signal.aborted) return producer.close();
    const partitions = Math.max(...this.#o.topics.map((spec) => spec.partitions));
    const relay = new Relay({
      database,
      producer,
      owner: instance,
      partitions: Array.from({ length: partitions }, (_, partition) => partition),
      log,
    });
    const consumers = new Map<string, RunningConsumer>();
    this.#running = { relay, producer, consumers };
    relay.start();
    for (const { groupId, topics, handle } of this.#o.consumptions) {
      const consumer = startConsumer({
        kafka,
        groupId,
        instanceId: instance,
        topics: [...topics],
        partitions: this.#partitionsOf(topics),
        handle,
        log,
        onBatch: (size) => onBatch?.(groupId, size),
      });
      consumers.set(groupId, consumer);
    }
  }

  #partitionsOf(topics: readonly string[]): number {
    const counts = this.#o.topics.map(({ topic, partitions }) => (topics.includes(topic) ? partitions : 0));
    return Math.max(
      1,
      counts.reduce((sum, count) => sum + count, 0),
    );
  }

  async #halt(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (!running) return;
    await Promise.all([...running.consumers.values()].map((consumer) => consumer.stop()));
    await running.relay.stop();
    await running.producer.close();
  }
}
