import { fileURLToPath } from 'node:url';
import { deadLetterTopic, partitionsOf, topics } from '@faultline/contracts';
import { type Database, migrate, openDatabase } from '@faultline/database';
import { type Check, HealthModule } from '@faultline/health';
import { createHttpApp } from '@faultline/http-server';
import { OperationsModule } from '@faultline/operations';
import { type Log, logger, startTelemetry } from '@faultline/telemetry';
import type { DynamicModule } from '@nestjs/common';
import { BrokerSide, type Consumption, type TopicSpec } from './broker.js';
import { Housekeeping } from './housekeeping.js';
import { serviceMetrics } from './metrics.js';
import { pause } from './pause.js';
import { BadSettings, type ServiceSettings } from './settings.js';

/** What a service's own pieces are given. */
export interface Parts<Config extends ServiceSettings = ServiceSettings> {
  readonly config: Config;
  readonly instance: string;
  readonly database: Database;
  readonly log: Log;
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
  /** Runs when the database is migrated, before the service calls itself started: its demo data, for one. */
  readonly prepare?: (parts: Parts<Config>) => Promise<void>;
  readonly workers?: (parts: Parts<Config>) => readonly Worker[];
  readonly ready?: (parts: Parts<Config>) => readonly Check[];
  /** Forgets what the service's own tables need no longer, once an hour; answers how many rows. */
  readonly sweep?: (parts: Parts<Config>) => Promise<number>;
}

export interface Running<Config extends ServiceSettings = ServiceSettings> {
  readonly url: string;
  readonly parts: Parts<Config>;
  /** Resolves once the database is reachable and migrated. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/** Every topic of the contracts, and where its dead letters go. */
export const topicSpecs: readonly TopicSpec[] = Object.keys(topics).flatMap((topic) =>
  [topic, deadLetterTopic(topic)].map((name) => ({ topic: name, partitions: partitionsOf(name) })),
);

/**
 * Starts a service in this process: HTTP at once, then the database (waited for and migrated), then what needs the
 * broker, in the background. Throws BadSettings, and whatever keeps the port from opening. `stop` finishes what is
 * under way: requests, batches, workers, then the relay, then the connections.
 */
export async function startService<Config extends ServiceSettings>(
  service: Service<Config>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Running<Config>> {
  const config = service.config(env);
  const instance = config.INSTANCE;
  const telemetry = startTelemetry({ service: service.name, instance });
  const log = logger(service.name, instance);
  const database = openDatabase({ url: config.DATABASE_URL, applicationName: instance, connections: 10 });
  const stopping = new AbortController();
  let migrated: true | string = 'not migrated yet';
  let broker: BrokerSide | undefined;
  let workers: readonly Worker[] = [];

  const parts: Parts<Config> = {
    config,
    instance,
    database,
    log,
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
        OperationsModule.register({ database, service: service.name, partitionsOf }),
        service.module(parts),
      ],
    },
    {
      service: service.name,
      instance,
      port: config.PORT,
      host: config.HOST,
      serviceToken: config.FAULTLINE_SERVICE_TOKEN,
      title: service.title,
      description: service.description,
      log,
    },
  );

  const started = (async () => {
    await waitForDatabase(
      config.DATABASE_URL,
      service.migrations,
      log,
      stopping.signal,
      (why) => (migrated = why),
    );
    if (stopping.signal.aborted) return;
    await service.prepare?.(parts);
    migrated = true;
    broker = new BrokerSide({
      brokers: config.KAFKA_BROKERS,
      instance,
      database,
      topics: topicSpecs,
      consumptions: service.consumers?.(parts) ?? [],
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
    async stop() {
      stopping.abort();
      await http.close();
      await started.catch(() => undefined);
      await broker?.stopConsuming();
      await Promise.all(workers.map((worker) => worker.stop()));
      await broker?.stop();
      await database.close();
      await telemetry.shutdown();
    },
  };
}

/**
 * A service as a process: ends with 1 and one clear sentence when its settings are bad, with 0 on SIGTERM or SIGINT
 * when everything under way was finished, with 1 when that took longer than 8 seconds.
 */
export async function runService<Config extends ServiceSettings>(service: Service<Config>): Promise<void> {
  let running: Running<Config>;
  try {
    running = await startService(service);
  } catch (error) {
    const sentence =
      error instanceof BadSettings ? `${service.name} cannot start: ${error.message}` : undefined;
    process.stderr.write(
      `${sentence ?? `${service.name} cannot start: ${error instanceof Error ? error.stack : String(error)}`}\n`,
    );
    process.exit(1);
  }
  const { log } = running.parts;
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error('not stopped after 8 s: ending anyway');
      process.exit(1);
    }, 8000).unref();
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  running.started.then(
    () => {
      if (!stopping) log.info({ url: running.url }, 'started');
    },
    (error: unknown) => {
      log.fatal({ err: error }, 'cannot go on');
      process.exit(1);
    },
  );
}

async function waitForDatabase(
  url: string,
  migrations: URL,
  log: Log,
  signal: AbortSignal,
  tell: (why: string) => void,
): Promise<void> {
  let wait = 100;
  while (!signal.aborted) {
    try {
      const applied = await migrate(url, fileURLToPath(migrations));
      if (applied.length > 0) log.info({ applied }, 'database migrated');
      return;
    } catch (error) {
      // The server answered, and the migration is what it refused, or a file is: waiting will not mend it.
      if (!mayPass(error)) throw error;
      tell(messageOf(error));
      log.warn({ because: messageOf(error), retryInMs: wait }, 'database unavailable');
      await pause(wait, signal);
      wait = Math.min(wait * 2, 2000);
    }
  }
}

function mayPass(error: unknown): boolean {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return error instanceof Error && /terminated|timeout/i.test(error.message);
  return /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|EAI_AGAIN|08|57|53)/.test(code);
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
