// Postgres and Kafka for tests as containers that go with the test run (Testcontainers), with the images and settings of
// docker-compose.yml.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { whenKafkaReady } from '../kafka.mjs';
import { PASSWORD, USER, whenPostgresReady } from '../postgres.mjs';
import { Problem } from '../problem.mjs';
import { root } from '../root.mjs';

/** Answers { postgresUrl, brokers, stop }. Throws a Problem where there is no Docker, or no such image. */
export async function startContainers() {
  const { GenericContainer, Wait } = await import('testcontainers');
  const { parse } = await import('yaml');
  const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true });
  const containers = [];
  const start = async (container) => {
    const started = await container.withStartupTimeout(180_000).start();
    containers.push(started);
    return started;
  };
  const stop = async () => {
    await Promise.all(containers.map((container) => container.stop()));
  };
  const described = (service) => {
    const { image, environment } = services[service];
    const variables = Object.entries(environment).map(([name, value]) => [name, String(value)]);
    return new GenericContainer(image).withEnvironment(Object.fromEntries(variables));
  };

  const starting = await Promise.allSettled([
    startPostgres(start, described('postgres'), services.postgres.command, Wait),
    startKafka(start, described('kafka'), Wait),
  ]);
  const failed = starting.find(({ status }) => status === 'rejected');
  if (failed) {
    await stop();
    const why = failed.reason.message.trim();
    throw new Problem(`TEST_INFRA=containers, but they cannot be started: ${why}. Is Docker running?`);
  }
  const [postgresUrl, brokers] = starting.map(({ value }) => value);
  return { postgresUrl, brokers, stop };
}

async function startPostgres(start, postgres, settings, Wait) {
  const container = await start(
    postgres
      // What a test run wrote need not outlive the machine.
      .withCommand([...settings, '-c', 'fsync=off'])
      .withExposedPorts(5432)
      // Once while the image makes the cluster, once for good.
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2)),
  );
  const url = `postgres://${USER}:${PASSWORD}@${address(container, 5432)}/postgres`;
  await whenPostgresReady({ url });
  return url;
}

// A broker tells its clients where to go on: to the port that Docker gives it, which is known only when the container
// runs. So the container first waits for a script that has the port.
async function startKafka(start, kafka, Wait) {
  const script = '/tmp/start-with-port.sh';
  // The script's last line is there when all of it is.
  const wait = `echo waiting; until grep -qs ^exec ${script}; do sleep 0.1; done; . ${script}`;
  const container = await start(
    kafka
      .withCommand(['bash', '-c', wait])
      .withExposedPorts(19092)
      .withWaitStrategy(Wait.forLogMessage('waiting')),
  );
  const brokers = address(container, 19092);
  const content = `export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092,OUTSIDE://${brokers}
# The file that it names is mounted by docker-compose.yml only.
unset KAFKA_LOG4J_OPTS
exec /etc/kafka/docker/run
`;
  await container.copyContentToContainer([{ target: script, content }]);
  const [host, port] = brokers.split(':');
  await whenKafkaReady({ host, port: Number(port), within: 180_000 });
  return brokers;
}

// Docker publishes on IPv4; `localhost` may be tried as ::1 first.
function address(container, port) {
  const host = container.getHost();
  return `${host === 'localhost' ? '127.0.0.1' : host}:${container.getMappedPort(port)}`;
}
