// Faults in the running services: what the two commands say to /chaos of each process, and what they say to people.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, readPidFile } from './processes.mjs';
import { Problem } from './problem.mjs';
import { MOST_REPLICAS, processNamed, replicaNames, replicaOf } from './replicas.mjs';
import { root } from './root.mjs';
import { GATEWAY, request, SERVICES } from './services.mjs';
import { PORTS, portsFrom } from './system.mjs';

export const APPS = ['order', 'payment', 'inventory', GATEWAY];

const STARTS = 'npm start, in another terminal, starts everything.';

/** The option that says what a member of the contract says. */
const OPTIONS = { ttlSeconds: '--for', at: '<at>', kind: '<kind>', name: '--name' };

/** Where the system's folder is, and the token that opens /chaos. Throws a Problem when there is none. */
export function access(env = process.env) {
  const folder = env.FAULTLINE_FOLDER || join(root, '.faultline');
  const file = join(folder, 'service-token');
  const token = env.FAULTLINE_SERVICE_TOKEN || (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');
  if (!token)
    throw new Problem(`There is no service token in ${file}: nothing was started here yet. ${STARTS}`);
  return { env, folder, token };
}

/** The processes that a name means: every replica of `order` that runs, or `order-2` alone. Throws a Problem for any other. */
export function processesOf(app, { env, folder }) {
  const ports = portsFrom(env, { replicas: MOST_REPLICAS });
  const one = (each) => ({ name: each, url: `http://127.0.0.1:${ports[each]}` });
  if (app === GATEWAY) return [one(app)];
  const every = SERVICES.flatMap((service) => replicaNames(service, MOST_REPLICAS));
  const name = processNamed(app);
  if (!every.includes(name))
    throw new Problem(
      `There is no ${app}. There is: ${APPS.join(', ')}; of several replicas one is order-2.`,
    );
  if (!SERVICES.includes(app)) return [one(name)];
  const runs = (each) => {
    const record = readPidFile(join(folder, 'run', `${each}.pid`));
    return record !== null && isAlive(record);
  };
  // The first may run without a pid file here: in a container.
  return replicaNames(app, MOST_REPLICAS)
    .filter((each) => each === app || runs(each))
    .map(one);
}

/**
 * Asks /chaos of one process. Answers { body } or, when that is not to be had, { absent } for a process that does not
 * listen and { failed } for all else, both with the reason.
 */
async function ask({ url }, { token }, { method = 'GET', path = '', body } = {}) {
  let answer;
  try {
    answer = await request(`${url}/chaos${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${token}` },
      within: 3000,
    });
  } catch (error) {
    if (error.code === 'ECONNREFUSED') return { absent: `does not run at ${url}` };
    return {
      failed: `does not answer at ${url} (${error.message}): it may be paused or blocked, which ends by itself`,
    };
  }
  if (answer.status === 200) return { body: answer.json() };
  if (answer.status === 400) return { failed: 'refused it', invalid: answer.json().errors };
  if (answer.status === 401)
    return {
      failed: `does not know the token: FAULTLINE_SERVICE_TOKEN, or .faultline/service-token, is another's`,
    };
  if (answer.status === 404 && !path.startsWith('/faults/'))
    return { failed: `runs without chaos: npm start enables it, elsewhere FAULTLINE_CHAOS=on does` };
  return { failed: `answered ${answer.status}: ${answer.text.slice(0, 300)}` };
}

/** The same of several at once: [{ name, url, ...answer }]. */
async function askAll(processes, how, what) {
  return Promise.all(processes.map(async (each) => ({ ...each, ...(await ask(each, how, what)) })));
}

const settingOf = (name) => {
  const { service, number } = name === GATEWAY ? { service: name, number: 1 } : replicaOf(name);
  return number === 1 ? PORTS[service].setting : `${service.toUpperCase()}_${number}_PORT`;
};

/** Why nothing was reached, in one sentence. */
function nothingReached(answers) {
  const [first] = answers;
  if (answers.every(({ absent }) => absent))
    return answers.length === 1
      ? `${first.name} ${first.absent}. ${STARTS} (${settingOf(first.name)} says where it is.)`
      : `Nothing runs here: ${answers.map(({ name, url }) => `${name} at ${url}`).join(', ')}. ${STARTS}`;
  return answers.map(({ name, absent, failed }) => `${name} ${failed ?? absent}.`).join('\n');
}

/** Injects a fault into every replica of an app. Answers { lines, complete }; throws a Problem when none took it. */
export async function inject(app, name, body, how) {
  const answers = await askAll(processesOf(app, how), how, { method: 'PUT', path: `/faults/${name}`, body });
  const invalid = answers.find((each) => each.invalid)?.invalid;
  if (invalid) {
    const complaint = ({ path, message }) =>
      `  ${OPTIONS[path] ?? `--${path.replace('.', ' ')}`}: ${message}`;
    throw new Problem(`${app} has no such fault:\n${invalid.map(complaint).join('\n')}`);
  }
  const taken = answers.filter((each) => each.body);
  if (taken.length === 0) throw new Problem(nothingReached(answers));
  return {
    lines: answers.map((each) =>
      each.body
        ? `${each.name}: ${inWords(each.body)}`
        : `${each.name} ${each.failed ?? each.absent}: not struck`,
    ),
    complete: taken.length === answers.length,
  };
}

/** The faults that run, as a table; of one app or of all. Throws a Problem when nothing was reached. */
export async function listed(app, how, now = Date.now()) {
  const answers = await askAll(processesOfAll(app, how), how, { path: '/faults' });
  if (!answers.some(({ body }) => body)) throw new Problem(nothingReached(answers));
  const rows = answers.flatMap(({ name, body }) =>
    (body?.items ?? []).map((fault) => [
      name,
      fault.name,
      `${fault.at} ${fault.kind}${details(fault)}`,
      `${Math.max(0, Math.ceil((Date.parse(fault.expiresAt) - now) / 1000))} s left`,
      `struck ${fault.struck} ${fault.struck === 1 ? 'time' : 'times'}`,
    ]),
  );
  const failed = answers.filter((each) => each.failed).map((each) => `${each.name} ${each.failed}.`);
  return {
    lines: [...(rows.length > 0 ? table(rows) : ['No fault runs.']), ...failed],
    complete: failed.length === 0,
  };
}

/** Ends every fault of one app, or of all. Answers { lines, complete }; throws a Problem when nothing was reached. */
export async function heal(app, how) {
  const answers = await askAll(processesOfAll(app, how), how, { method: 'DELETE', path: '/faults' });
  if (!answers.some(({ body }) => body)) throw new Problem(nothingReached(answers));
  const ended = answers.flatMap(({ name, body }) =>
    (body?.items ?? []).map((fault) => [
      name,
      fault.name,
      `${fault.at} ${fault.kind}`,
      `struck ${fault.struck} ${fault.struck === 1 ? 'time' : 'times'}`,
    ]),
  );
  // What does not run has no faults: they live in its memory.
  const failed = answers.filter((each) => each.failed).map((each) => `${each.name} ${each.failed}.`);
  return {
    lines: [...(ended.length > 0 ? ['Ended:', ...table(ended)] : ['No fault was running.']), ...failed],
    complete: failed.length === 0,
  };
}

/** What can be injected into an app, in words. */
export async function offered(app, how) {
  const answers = await askAll(processesOf(app, how).slice(0, 1), how);
  const [{ body }] = answers;
  if (!body) throw new Problem(nothingReached(answers));
  return body.places.flatMap(({ at, what: struck, kinds, match }) => [
    `${at}: ${struck}`,
    ...table(
      kinds.map(({ kind, what, needs, takes }) => [
        `  ${kind}`,
        [needs && `--${needs}`, takes && `[--${takes}]`].filter(Boolean).join(' '),
        what,
      ]),
    ),
    ...(match.length > 0 ? [`  --match ${match.map((each) => `${each}=…`).join(' or ')}`] : []),
    '',
  ]);
}

function processesOfAll(app, how) {
  return app === undefined ? APPS.flatMap((each) => processesOf(each, how)) : processesOf(app, how);
}

function inWords(fault) {
  const seconds = Math.max(0, Math.round((Date.parse(fault.expiresAt) - Date.now()) / 100) / 10);
  if (fault.at === 'process' && fault.kind === 'crash') return 'it crashes now';
  return `${fault.at} ${fault.kind}${details(fault)}, for ${seconds} s, named ${fault.name}`;
}

function details({ at, rate, milliseconds, status, match = {} }) {
  const filter = Object.entries(match).map(([key, value]) => `${key}=${value}`);
  return [
    milliseconds === undefined ? '' : ` ${milliseconds} ms`,
    status === undefined ? '' : ` ${status}`,
    at === 'process' ? '' : ` at rate ${rate}`,
    filter.length > 0 ? ` where ${filter.join(', ')}` : '',
  ].join('');
}

function table(rows) {
  const widths = rows.reduce((most, row) => row.map((cell, n) => Math.max(most[n] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, n) => cell.padEnd(widths[n]))
      .join('  ')
      .trimEnd(),
  );
}
