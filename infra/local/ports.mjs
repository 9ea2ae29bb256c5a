// Ports: which are free, and who holds one that is not.
import { execFileSync } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { Problem } from './problem.mjs';

function listen(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

const close = (server) => new Promise((resolve) => server.close(resolve));

export async function isFree(port, host = '127.0.0.1') {
  try {
    await close(await listen(port, host));
    return true;
  } catch (error) {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') return false;
    throw error;
  }
}

/**
 * So many ports that nobody has. They lie below the range from which systems take the near end of outgoing
 * connections: there, a port could be lost to a client while its server restarts.
 */
export async function freePorts(count) {
  const servers = [];
  for (let port = 18_000 + Math.floor(Math.random() * 10_000); servers.length < count; port += 1) {
    if (port > 32_000) port = 18_000;
    try {
      servers.push(await listen(port, '127.0.0.1'));
    } catch (error) {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    }
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map(close));
  return ports;
}

/** Who listens on a port, like `java (pid 4711)`; null when no tool here can tell. */
export function holderOf(port) {
  for (const look of [fromLsof, fromSs]) {
    const holder = look(port);
    if (holder) return holder;
  }
  return null;
}

function run(command, args) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    });
  } catch {
    return '';
  }
}

function fromSs(port) {
  const match = /users:\(\("([^"]*)",pid=(\d+)/.exec(run('ss', ['-Hltnp', `sport = :${port}`]));
  return match && `${match[1]} (pid ${match[2]})`;
}

function fromLsof(port) {
  const found = run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const pid = /^p(\d+)/m.exec(found)?.[1];
  const command = /^c(.*)/m.exec(found)?.[1];
  return pid ? `${command ?? 'a process'} (pid ${pid})` : null;
}

/** Throws a Problem that names every taken port, its holder, and the setting that changes it. */
export async function demandFree(wanted, lookUp = holderOf) {
  const complaints = [];
  for (const { port, setting, what } of wanted) {
    if (await isFree(port)) continue;
    const holder = lookUp(port) ?? 'another program';
    complaints.push(
      `Port ${port}, meant for ${what}, is taken by ${holder}. End that, or choose another: ${setting}=${port + 1000} npm start`,
    );
  }
  if (complaints.length > 0) throw new Problem(complaints.join('\n'));
}

/** Whether something accepts connections there now. */
export function accepts(port, host = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.setTimeout(1000, () => done(false));
  });
}
