// Postgres and Kafka in containers: the same two, from docker-compose.yml at the root.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { Problem } from './problem.mjs';
import { root } from './root.mjs';

const run = promisify(execFile);

export async function dockerIsThere() {
  return run('docker', ['compose', 'version'], { timeout: 10_000 })
    .then(() => run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 }))
    .then(
      () => true,
      () => false,
    );
}

/** Compose on behalf of one folder: several systems may run side by side, each with containers of its own. */
export function compose({ folder, ports }) {
  const project = `faultline-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`;
  const env = { ...process.env, POSTGRES_PORT: String(ports.postgres), KAFKA_PORT: String(ports.kafka) };
  let before = Promise.resolve();
  const command = async (...args) => {
    try {
      return await run('docker', ['compose', '-p', project, ...args], { cwd: root, env });
    } catch (error) {
      throw new Problem(`docker compose ${args.join(' ')} failed: ${(error.stderr || error.message).trim()}`);
    }
  };
  // One after the other: two that find no network each make one, and then its name stands for both of them.
  const create = (name) => {
    before = before.catch(() => undefined).then(() => command('up', '-d', name));
    return before;
  };
  return {
    async up(name) {
      await create(name);
      await command('up', '-d', '--wait', name);
    },
    stop: (name) => command('stop', '-t', '5', name),
    kill: (name, signal) => command('kill', '-s', signal, name),
    pause: (name) => command('pause', name),
    unpause: (name) => command('unpause', name),
    down: () => command('down', '-t', '5'),
    wipe: () => command('down', '-t', '1', '--volumes'),
  };
}
