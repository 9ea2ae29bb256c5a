import { fileURLToPath } from 'node:url';
import { deadLetterTopic, partitionsOf, topics } from '@faultline/contracts';
import { type Database, type HeldName, holdName, migrate, openDatabase } from '@faultline/database';
import { type Check, HealthModule } from '@faultline/health';
import type { httpClient } from '@faultline/http-client';
import { createHttpApp } from '@faultline/http-server';
import { OperationsModule, watchResilience } from '@faultline/operations';
import { Resilience } from '@faultline/resilience';
import { currentTraceparent, type Log, logger, startTelemetry, traceIdOf } from '@faultline/telemetry';
import type { DynamicModule } from '@nestjs/common';
import { BrokerSide, type Consumption, type TopicSpec } from './broker.js';
import { Housekeeping } from './housekeeping.js';
import { serviceMetrics } from './metrics.js';
import type { ServiceSettings } from './settings.js';
import { StopBudget } from './stop-budget.js';
import { messageOf, untilDatabaseTakes, type Waiting } from './until-database-takes.js';
import { nothingAround, type Wrapping } from './wrapping.js';

/** What a service's own pieces are given. */
export interface Parts<Config extends ServiceSettings = ServiceSettings> {
  readonly config: Config;
  readonly instance: string;
  readonly database: Database;
  readonly log: Log;
  /** Makes the pipelines to what this service calls, and shows them to operators. */
  readonly resilience: Resilience;
  /** Makes a client to another service; every call of this service leaves through one. */
  readonly httpClient: typeof httpClient;
  /** Call after a commit that wrote to the outbox: the relay then need not find out by polling. */
  hint(): void;
  /** Per group: whether it is joined, and how far behind. Empty without a broker. */
  consumers(): ReturnType<BrokerSide['consumers']>;
}

/** Something that works in the background from when the database is migrated until the service stops. */
export interface Worker {
  start(): void;
  stop(): Promise<void>;
}

/** A service as its app.module.ts describes it. */
export interface Service<Config extends ServiceSettings = ServiceSettings> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly config: (env: NodeJS.ProcessEnv) => Config;
  readonly migrations: URL;
  readonly module: (parts: Parts<Config>) => DynamicModule;
  readonly consumers?: (parts: Parts<Config>) => readonly Consumption[];
  /**
   * Runs when the database is migrated, before the service calls itself started: its demo data, for one. It runs again
   * when the database was lost in the middle of it, and in every replica.
   */
  readonly prepare?: (parts: Parts<Config>) => Promise<void>;
  readonly workers?: (parts: Parts<Config>) => readonly Worker[];
  readonly ready?: (parts: Parts<Config>) => readonly Check[];
  /** Forgets what the service's own tables need no longer, once an hour; answers how many rows. */
  readonly sweep?: (parts: Parts<Config>) => Promise<number>;
  /** What stands around the ports, when something does. */
  readonly wrapping?: (config: ServiceSettings, log: Log) => Wrapping | undefined;
}

export interface Running<Config extends ServiceSettings = ServiceSettings> {
  readonly url: string;
  readonly parts: Parts<Config>;
  /** Resolves once the database is reachable and migrated. Rejects when the process cannot go on. */
  readonly started: Promise<void>;
  /** Rejects with NameTaken when another process took this one's name while the database was away; never resolves. */
  readonly displaced: Promise<never>;
  /** In `within` milliseconds (4000) at most. Answers which steps were not finished in that time. */
  stop(within?: number): Promise<readonly string[]>;
}

/** Every topic of the contracts, and where its dead letters go. */
export const topicSpecs: readonly TopicSpec[] = Object.keys(topics).flatMap((topic) =>
  [topic, deadLetterTopic(topic)].map((name) => ({ topic: name, partitions: partitionsOf(name) })),
);

/** Less than the 4.5 s that the local supervisor leaves a service before it kills it, and the 10 s of a container. */
const stopWithin = 4000;
/** Of that, what is kept for the steps after the requests, after the consumers, the workers and the relay. */
const keep = { requests: 2600, consumers: 1200, workers: 1000, relay: 300 };

/**
 * Starts a service in this process: HTTP at once, then the database (waited for and migrated), then what needs the
 * broker, in the background. Throws BadSettings, and whatever keeps the port from opening. Two living processes cannot
 * have the same INSTANCE: the younger one's `started` rejects. `stop` finishes what is under way: requests, batches,
 * workers, then the relay, then the connections.
 */
export async function startService<Config extends ServiceSettings>(
  service: Service<Config>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Running<Config>> {
  const config = service.config(env);
  const instance = config.INSTANCE;
  const telemetry = startTelemetry({ service: service.name, instance });
  const log = logger(service.name, instance);
  const around = service.wrapping?.(config, log) ?? nothingAround;
  const database = around.database(
    openDatabase({ url: config.DATABASE_URL, applicationName: instance, connections: 10 }),
  );
  const stopping = new AbortController();
  const resilience = new Resilience({ traceId: () => traceIdOf(currentTraceparent()) ?? undefined });
  watchResilience(resilience, log);
  let migrated: true | string = 'not migrated yet';
  let broker: BrokerSide | undefined;
  let workers: readonly Worker[] = [];
  let name: HeldName | undefined;
  const { promise: displaced, reject: onLost } = Promise.withResolvers<never>();
  // Whoever does not listen to it is not ended by it.
  displaced.catch(() => undefined);

  const parts: Parts<Config> = {
    config,
    instance,
    database,
    log,
    resilience,
    httpClient: around.httpClient,
    hint: () => broker?.hint(),
    consumers: () => broker?.consumers() ?? new Map(),
  };

  const onBatch = serviceMetrics(database, () => broker);

  const reachable: Check = {
    name: 'database',
    async check() {
      if (migrated !== true) return migrated;
      try {
        const answered = database
          .query({ name: 'health', text: 'SELECT 1', values: [] })
          .then(() => true as const);
        // A frozen server answers nothing; whoever asks for our health must not wait for it.
        const patience = new Promise<string>((resolve) =>
          setTimeout(resolve, 2000, 'no answer within 2 s').unref(),
        );
        return await Promise.race([answered, patience]);
      } catch (error) {
        return messageOf(error);
      }
    },
  };
  const agreed: Check = {
    name: 'topics',
    async check() {
      const state = broker?.state();
      return state?.is === 'disagreeing' ? state.about : true;
    },
  };

  const http = await createHttpApp(
    {
      module: class ServiceModule {},
      imports: [
        HealthModule.register({
          startup: [{ name: 'database', check: async () => migrated }],
          live: [{ name: 'process', check: async () => true }],
          ready: [reachable, agreed, ...(service.ready?.(parts) ?? [])],
        }),
        OperationsModule.register({ database, service: service.name, partitionsOf, resilience }),
        ...around.modules,
        service.module(parts),
      ],
    },
    {
      service: service.name,
      instance,
      port: config.PORT,
      host: config.HOST,
      serviceToken: config.FAULTLINE_SERVICE_TOKEN,
      door: { limit: config.MAX_REQUESTS, longestDelay: config.MAX_EVENT_LOOP_DELAY_MS },
      title: service.title,
      description: service.description,
      log,
      before: around.before,
    },
  );

  const started = (async () => {
    const waiting: Waiting = { log, signal: stopping.signal, tell: (why) => (migrated = why) };
    await untilDatabaseTakes(waiting, async () => {
      const applied = await migrate(config.DATABASE_URL, fileURLToPath(service.migrations));
      if (applied.length > 0) log.info({ applied }, 'database migrated');
    });
    await untilDatabaseTakes(waiting, async () => {
      name = await holdName({ url: config.DATABASE_URL, name: instance, onLost });
    });
    await untilDatabaseTakes(waiting, async () => service.prepare?.(parts));
    if (stopping.signal.aborted) return;
    migrated = true;
    broker = new BrokerSide({
      brokers: config.KAFKA_BROKERS,
      instance,
      database,
      topics: topicSpecs,
      consumptions: (service.consumers?.(parts) ?? []).map((each) => around.consumption(each)),
      through: (producer) => around.producer(producer),
      log,
      onBatch,
    });
    workers = [
      ...(service.workers?.(parts) ?? []),
      new Housekeeping(database, log, () => service.sweep?.(parts) ?? Promise.resolve(0)),
    ];
    for (const worker of workers) worker.start();
    broker.start();
  })();

  return {
    url: http.url,
    parts,
    started,
    displaced,
    async stop(within = stopWithin) {
      const budget = new StopBudget(within);
      const kept = (milliseconds: number): number => (milliseconds * within) / stopWithin;
      stopping.abort();
      const answered = budget.left(kept(keep.requests));
      await budget.step('requests', http.close(answered), kept(keep.requests) * 0.9);
      await budget.step('start', started, kept(keep.consumers));
      await budget.step(
        'consumers',
        broker?.stopConsuming(budget.left(kept(keep.consumers))) ?? done,
        kept(keep.workers),
      );
      await budget.step('workers', Promise.all(workers.map((worker) => worker.stop())), kept(keep.workers));
      await budget.step('relay', broker?.stop(budget.left(kept(keep.relay))) ?? done, kept(keep.relay));
      await Promise.all([
        budget.step('name', name?.release() ?? done),
        budget.step('database', database.close()),
        budget.step('telemetry', telemetry.shutdown()),
      ]);
      if (budget.cut.length > 0) log.warn({ unfinished: budget.cut }, 'stopped, not everything was finished');
      return budget.cut;
    },
  };
}

const done = Promise.resolve();
