// The whole system as a value: Postgres, Kafka and the services, in a folder and on ports of its own. `npm start` is
// one of them; a test starts as many as it likes, side by side.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compose, dockerIsThere } from './docker.mjs';
import { findJava, howToInstallJava } from './java.mjs';
import { fetchKafka, prepareKafka, whenKafkaReady } from './kafka.mjs';
import { tryLock } from './lock.mjs';
import { demandFree, freePorts } from './ports.mjs';
import {
  createDatabases,
  postgresUrl,
  preparePostgres,
  removePostgres,
  whenPostgresReady,
} from './postgres.mjs';
import { Problem } from './problem.mjs';
import { end, endLeftOver, isAlive } from './processes.mjs';
import { createProgress } from './progress.mjs';
import { processNamed, replicaNames, replicaOf, replicasFrom } from './replicas.mjs';
import { root } from './root.mjs';
import { gateway, GATEWAY, service, serviceToken, SERVICES, tailOf, whenReady } from './services.mjs';
import { Supervised } from './supervised.mjs';

export { Problem } from './problem.mjs';
export { GATEWAY, SERVICES } from './services.mjs';

/** Everything that is fetched once and shared by all systems of this project. */
const shared = join(root, '.faultline');

/** Ports, and the setting that changes each. */
export const PORTS = {
  order: { port: 3001, setting: 'ORDER_PORT', what: 'the order service' },
  payment: { port: 3002, setting: 'PAYMENT_PORT', what: 'the payment service' },
  inventory: { port: 3003, setting: 'INVENTORY_PORT', what: 'the inventory service' },
  [GATEWAY]: { port: 3004, setting: 'PAYMENT_GATEWAY_PORT', what: 'the payment gateway' },
  postgres: { port: 15432, setting: 'POSTGRES_PORT', what: 'Postgres' },
  kafka: { port: 19092, setting: 'KAFKA_PORT', what: 'Kafka' },
  kafkaController: { port: 19093, setting: 'KAFKA_CONTROLLER_PORT', what: "Kafka's controller" },
};

/** Between the port of a replica and that of the next one. */
const APART = 10;

/** The ports of a system, each with the setting that changes it: one per replica, then those of Postgres and Kafka. */
export function portsOf(replicas = 1) {
  return Object.fromEntries(
    Object.entries(PORTS).flatMap(([name, spec]) =>
      SERVICES.includes(name)
        ? replicaNames(name, replicas).map((replica) => {
            const { number } = replicaOf(replica);
            if (number === 1) return [replica, spec];
            const setting = `${name.toUpperCase()}_${number}_PORT`;
            return [replica, { ...spec, setting, what: `${spec.what}, replica ${number}` }];
          })
        : [[name, spec]],
    ),
  );
}

/**
 * The ports that the environment asks for, else the usual ones: of a further replica, ten more than of the one before.
 * Throws a Problem for what is no port, and for one that is asked for twice.
 */
export function portsFrom(env, { replicas = 1 } = {}) {
  const specs = portsOf(replicas);
  const asked = Object.fromEntries(
    Object.entries(specs).map(([name, { setting }]) => [name, env[setting] || undefined]),
  );
  const ports = withUsual(asked, replicas);
  const users = new Map();
  for (const [name, { setting }] of Object.entries(specs)) {
    const port = ports[name];
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new Problem(`${setting} is ${env[setting] ?? port}; it must be a port number, 1 to 65535.`);
    }
    if (users.has(port)) {
      throw new Problem(`${users.get(port)} and ${setting} are both ${port}; each needs a port of its own.`);
    }
    users.set(port, setting);
  }
  return ports;
}

function withUsual(wanted, replicas) {
  const ports = {};
  for (const [name, { port }] of Object.entries(portsOf(replicas))) {
    const { service, number } = replicaOf(name);
    ports[name] = Number(wanted[name] ?? (number === 1 ? port : ports[service] + APART * (number - 1)));
  }
  return ports;
}

async function choosePorts(wanted, replicas) {
  if (wanted !== 'free') return withUsual(wanted, replicas);
  const names = Object.keys(portsOf(replicas));
  const free = await freePorts(names.length);
  return Object.fromEntries(names.map((name, index) => [name, free[index]]));
}

/** Which way Postgres and Kafka come: what INFRA says, else by what this machine has. */
async function chooseInfra(wanted, say) {
  if (wanted && !['embedded', 'docker', 'external'].includes(wanted)) {
    throw new Problem(`INFRA is ${wanted}; it can be embedded, docker or external.`);
  }
  if (wanted === 'external') return { kind: 'external' };
  if (wanted === 'docker') {
    if (!(await dockerIsThere()))
      throw new Problem('INFRA=docker, but docker compose does not answer here. Is Docker running?');
    return { kind: 'docker' };
  }
  const java = await findJava(join(shared, 'java'), say);
  if (java) return { kind: 'embedded', java };
  if (!wanted && (await dockerIsThere())) return { kind: 'docker' };
  throw new Problem(howToInstallJava());
}

/** Milliseconds that a service has to finish what it has. */
const SETTLE = 4500;

/**
 * Starts a system; see system.d.mts for what it takes and answers. Throws a Problem, with everything ended again, when
 * it cannot.
 */
export async function startSystem(options) {
  const folder = resolve(options.folder);
  const {
    services = SERVICES,
    env = {},
    serviceEnv = {},
    restart = true,
    demoData = services.length === SERVICES.length,
    durable = false,
    fresh = false,
    quiet = true,
    progress = createProgress({ quiet }),
    tell = () => {},
    build = async () => {},
    takeOver = false,
    waitForBroker = true,
    startKafka: withKafka = true,
  } = options;
  const replicas = replicasFrom(options.replicas, 'replicas');
  const processesOf = (service) => replicaNames(service, replicas);
  const wanted = services.flatMap(processesOf);
  const parties = services.includes('payment') ? [GATEWAY] : [];
  const run = join(folder, 'run');
  const logs = join(folder, 'logs');
  const data = join(folder, 'data');
  const log = (name) => join(logs, `${processNamed(name)}.log`);
  const pidFile = (name) => join(run, `${name}.pid`);
  const external = options.external ?? {
    postgresUrl: process.env.POSTGRES_URL,
    brokers: process.env.KAFKA_BROKERS,
  };

  mkdirSync(run, { recursive: true });
  const release = await own(pidFile('system'), takeOver);
  const processes = new Map();
  let docker;
  let stopping;

  try {
    // Services first: they would only complain about what goes away under them.
    const left = [];
    for (const name of leftOver(run)) if (await endLeftOver(pidFile(name), { within: 5000 })) left.push(name);
    for (const name of ['kafka', 'postgres']) {
      if (
        await endLeftOver(pidFile(name), { within: 8000, signal: name === 'postgres' ? 'SIGINT' : 'SIGTERM' })
      )
        left.push(name);
    }
    if (left.length > 0) progress.note(`Ended what an earlier run left behind: ${left.join(', ')}`);

    const ports = await choosePorts(options.ports ?? 'free', replicas);
    const { kind, java } = await (options.infra === 'external' || options.infra === 'docker'
      ? chooseInfra(options.infra)
      : progress.step('Java', async (say) => {
          const chosen = await chooseInfra(options.infra, say);
          say(chosen.java ? chosen.java.version : 'not here: Docker is used');
          return chosen;
        }));
    if (kind === 'external' && !(external.postgresUrl && external.brokers)) {
      throw new Problem(
        'INFRA=external needs POSTGRES_URL (postgres://user:password@host:port) and KAFKA_BROKERS (host:port).',
      );
    }
    if (kind === 'docker') docker = compose({ folder, ports });
    if (fresh) {
      await progress.step('Fresh start', async (say) => {
        say('the data of earlier runs are removed');
        if (docker) await docker.wipe();
        removePostgres(join(data, 'postgres'));
        rmSync(data, { recursive: true, force: true });
        rmSync(logs, { recursive: true, force: true });
        rmSync(join(folder, 'traces'), { recursive: true, force: true });
      });
    }

    const needed = [
      ...wanted,
      ...parties,
      ...(kind === 'embedded' ? ['postgres', ...(withKafka ? ['kafka', 'kafkaController'] : [])] : []),
    ];
    const specs = portsOf(replicas);
    await demandFree(needed.map((name) => ({ ...specs[name], port: ports[name] })));

    const token = serviceToken(options.tokenFile ?? join(folder, 'service-token'));
    const urlOf = (name) => `http://127.0.0.1:${ports[name]}`;
    const urls = Object.fromEntries([...SERVICES, GATEWAY].map((name) => [name, urlOf(name)]));
    const serverUrl = kind === 'external' ? external.postgresUrl : postgresUrl(ports.postgres);
    const brokers = kind === 'external' ? external.brokers : `127.0.0.1:${ports.kafka}`;
    const databaseUrl = (name) => {
      const url = new URL(serverUrl);
      url.pathname = `/faultline_${name}`;
      return url.href;
    };

    const supervised = (name, prepare, more = {}) => {
      const one = new Supervised({
        name,
        log: log(name),
        pidFile: pidFile(name),
        prepare,
        restart,
        tell,
        ...more,
      });
      processes.set(name, one);
      return one;
    };

    // Each way to have a server answers the same three verbs.
    const postgres =
      kind === 'embedded'
        ? supervised(
            'postgres',
            () => preparePostgres({ folder: join(data, 'postgres'), port: ports.postgres, durable }),
            { stopSignal: 'SIGINT' },
          )
        : container('postgres', docker);
    const kafka =
      kind === 'embedded'
        ? supervised('kafka', async () => {
            const libs = await fetchKafka(join(shared, 'kafka'));
            return prepareKafka({
              java,
              libs,
              folder: join(data, 'kafka'),
              port: ports.kafka,
              controllerPort: ports.kafkaController,
            });
          })
        : container('kafka', docker);

    const startPostgres = async () => {
      await postgres.start();
      await whenPostgresReady({
        url: serverUrl,
        died: () => kind === 'embedded' && postgres.deaths >= (restart ? 5 : 1),
      });
      await createDatabases(
        serverUrl,
        SERVICES.map((name) => `faultline_${name}`),
      );
    };
    const startKafka = async () => {
      await kafka.start();
      const [host, port] = brokers.split(',')[0].split(':');
      await whenKafkaReady({
        host,
        port: Number(port),
        died: () => kind === 'embedded' && kafka.deaths >= (restart ? 3 : 1),
      });
    };
    const withTail = (name, work) => async (say) => {
      try {
        return await work(say);
      } catch (error) {
        if (error instanceof Problem && kind === 'embedded') error.message += `\n${tailOf(log(name))}`;
        throw error;
      }
    };

    for (const name of wanted) {
      const { service: of, number } = replicaOf(name);
      // Each asks the neighbours of its own number: one that is dead does not leave all of the others without an answer.
      const neighbours = Object.fromEntries([
        ...SERVICES.map((each) => [each, urlOf(processesOf(each)[number - 1])]),
        [GATEWAY, urlOf(GATEWAY)],
      ]);
      supervised(name, async () =>
        service(name, {
          urls: neighbours,
          databaseUrl: databaseUrl(of),
          brokers,
          token,
          env: {
            FAULTLINE_DEMO_DATA: demoData ? 'on' : 'off',
            FAULTLINE_TRACES: join(folder, 'traces'),
            ...env,
            ...serviceEnv[of],
            ...(number > 1 ? serviceEnv[name] : {}),
          },
        }),
      );
    }
    for (const name of parties) {
      mkdirSync(data, { recursive: true });
      supervised(name, async () =>
        gateway({
          url: urlOf(name),
          data,
          token,
          env: { FAULTLINE_TRACES: join(folder, 'traces'), ...env, ...serviceEnv[name] },
        }),
      );
    }
    const ready = (name, more) => whenReady(name, urlOf(name), { log: log(name), ...more });

    const startingKafka = withKafka
      ? (async () => {
          if (kind === 'embedded') {
            await progress.step('Kafka, once', (say) => fetchKafka(join(shared, 'kafka'), say));
          }
          await progress.step(
            'Kafka',
            withTail('kafka', async (say) => {
              await startKafka();
              say(brokers);
            }),
          );
        })()
      : Promise.resolve();
    const startingServices = (async () => {
      await together([
        progress.step(
          'Postgres',
          withTail('postgres', async (say) => {
            await startPostgres();
            say(kind === 'external' ? new URL(serverUrl).host : `127.0.0.1:${ports.postgres}`);
          }),
        ),
        build(progress),
      ]);
      await together(
        [...parties, ...wanted].map((name) =>
          progress.step(name, async (say) => {
            const one = processes.get(name);
            await one.start();
            await ready(name, {
              consumers: false,
              say,
              // Bad settings or a bad build do not get better by trying again.
              trouble: () => (one.deaths >= (restart ? 3 : 1) ? 'it ends as soon as it is started' : null),
            });
            say(urlOf(name));
          }),
        ),
      );
    })();
    await together([startingKafka, startingServices]);
    if (services.length > 0 && withKafka && waitForBroker) {
      await progress.step('Ready', async (say) => {
        await together(wanted.map((name) => ready(name, { say })));
        say('an order can be placed');
      });
    }

    const named = (name) => {
      const found = processes.get(processNamed(name));
      if (!found) throw new Error(`no process ${name} here: ${[...processes.keys()].join(', ')}`);
      return found;
    };
    const stop = () => (stopping ??= stopAll());
    return {
      folder,
      ports,
      urls,
      postgresUrl: serverUrl,
      databaseUrl,
      brokers,
      token,
      infra: kind,
      log,
      process: named,
      replicas: (name) => (services.includes(name) ? processesOf(name) : []),
      replicaUrls: (name) => (services.includes(name) ? processesOf(name).map(urlOf) : []),
      async whenReady({ within = 60_000, names = services, consumers = true } = {}) {
        const each = new Set(
          names.flatMap((name) => (services.includes(name) ? processesOf(name) : [named(name).name])),
        );
        await together(
          [...each].map((name) => ready(name, { within, consumers: consumers && name !== GATEWAY })),
        );
      },
      startPostgres,
      stopPostgres: (how) => postgres.stop(how),
      startKafka,
      stopKafka: (how) => kafka.stop(how),
      freeze: (name) => (name === 'postgres' ? postgres : name === 'kafka' ? kafka : named(name)).freeze(),
      thaw: (name) => (name === 'postgres' ? postgres : name === 'kafka' ? kafka : named(name)).thaw(),
      stop,
    };
  } catch (error) {
    await (stopping ??= stopAll());
    throw error;
  }

  // Services, then Kafka, then Postgres: each finishes what it has while what it needs is still there. All of it takes
  // less than ten seconds.
  async function stopAll() {
    const last = Date.now() + 9500;
    try {
      await Promise.all(wanted.map((name) => processes.get(name)?.stop({ within: SETTLE })));
      await Promise.all(parties.map((name) => processes.get(name)?.stop({ within: 1000 })));
      await processes.get('kafka')?.stop({ within: Math.max(500, last - 1200 - Date.now()) });
      await processes.get('postgres')?.stop({ within: Math.max(500, last - Date.now()) });
      if (docker) await docker.down();
    } finally {
      release();
    }
  }
}

/** Waits for all, also when one fails: nothing goes on in the background after that. Throws the first failure. */
async function together(work) {
  const results = await Promise.allSettled(work);
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}

/** The services whose pid files an earlier run left, which may have had more replicas. */
function leftOver(run) {
  return readdirSync(run)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => file.slice(0, -'.pid'.length))
    .filter((name) => [...SERVICES, GATEWAY].includes(replicaOf(name).service))
    .sort((a, b) => SERVICES.indexOf(replicaOf(b).service) - SERVICES.indexOf(replicaOf(a).service));
}

/** Makes this process the owner of the folder. With `takeOver` an owner that lives is ended first: a supervisor whose starter was killed. */
async function own(file, takeOver) {
  for (;;) {
    const { release, owner } = await tryLock(file);
    if (release) return release;
    if (!takeOver) throw new Problem(`A system runs in this folder already (pid ${owner.pid}).`);
    if (isAlive(owner)) await end(owner.pid, { within: 12_000 });
  }
}

function container(name, docker) {
  const none = async () => undefined;
  return {
    isRunning: true,
    start: docker ? () => docker.up(name) : none,
    stop: docker ? () => docker.stop(name) : none,
    freeze: docker ? () => docker.pause(name) : none,
    thaw: docker ? () => docker.unpause(name) : none,
  };
}
