// What each service is told, and when an order can really be placed.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from './problem.mjs';
import { instanceOf, replicaOf } from './replicas.mjs';
import { root, node } from './root.mjs';

/** In the order in which they are started. */
export const SERVICES = ['inventory', 'payment', 'order'];

/** The third party that payment calls: one process, with books of its own and without our servers. */
export const GATEWAY = 'payment-gateway';

// The young generation: what an order leaves behind must die there. With 2 MB the batches of 64 orders outlive it, and a
// service spends a fifth of its time on collecting the old one; 8 MB cost 14 MB per service, 16 MB cost 30 and give
// little more. --optimize-for-size would save 20 MB, for half as much CPU per order again.
const MEMORY = ['--max-old-space-size=192', '--max-semi-space-size=8'];

// What of the starter's environment a service may see: its own settings come from here and from nowhere else.
const INHERITED = /^(PATH|HOME|USER|TMPDIR|LANG|LC_.*|TZ|NO_COLOR|OTEL_.*|FAULTLINE_(?!FOLDER$).*)$/;

/** Answers what to spawn for the card gateway. Its books are a file in `data`. */
export function gateway({ url, data, token, env = {} }) {
  const { port } = new URL(url);
  return {
    command: node,
    args: ['--max-old-space-size=96', '--disable-warning=ExperimentalWarning', mainOf(GATEWAY)],
    cwd: join(root, 'apps', GATEWAY),
    env: {
      ...inherited(),
      NODE_ENV: 'production',
      PORT: port,
      HOST: '127.0.0.1',
      INSTANCE: `${GATEWAY}-1`,
      FAULTLINE_SERVICE_TOKEN: token,
      GATEWAY_BOOKS: join(data, 'card-books.sqlite'),
      ...env,
    },
  };
}

const mainOf = (app) => join(root, 'apps', app, 'dist', 'main.js');
const inherited = () =>
  Object.fromEntries(Object.entries(process.env).filter(([key]) => INHERITED.test(key)));

/** Answers what to spawn for one replica of a service: `order`, `order-2`. `urls` are those that it knows, its own too. */
export function service(name, { urls, databaseUrl, brokers, token, env = {} }) {
  const { service: app } = replicaOf(name);
  const url = new URL(urls[app]);
  return {
    command: node,
    args: [...MEMORY, mainOf(app)],
    cwd: join(root, 'apps', app),
    env: {
      ...inherited(),
      NODE_ENV: 'production',
      PORT: url.port,
      HOST: '127.0.0.1',
      INSTANCE: instanceOf(name),
      DATABASE_URL: databaseUrl,
      KAFKA_BROKERS: brokers,
      FAULTLINE_SERVICE_TOKEN: token,
      ...(app === 'order' ? { INVENTORY_URL: urls.inventory, PAYMENT_URL: urls.payment } : {}),
      ...(app === 'payment' ? { PAYMENT_GATEWAY_URL: urls[GATEWAY] } : {}),
      ...env,
    },
  };
}

/** The token that opens operations; made at the first start, readable by its owner only. */
export function serviceToken(file) {
  if (process.env.FAULTLINE_SERVICE_TOKEN) return process.env.FAULTLINE_SERVICE_TOKEN;
  if (existsSync(file)) {
    chmodSync(file, 0o600);
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= 16) return token;
  }
  mkdirSync(dirname(file), { recursive: true });
  const token = randomBytes(24).toString('base64url');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return token;
}

/** One HTTP request; answers { status, text, json() }. Rejects when nobody answers in time. */
export function request(url, { method = 'GET', headers = {}, body, within = 5000 } = {}) {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const sent = httpRequest(
      url,
      {
        method,
        agent: false,
        headers: {
          ...(payload
            ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
            : {}),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode, text, json: () => JSON.parse(text) }),
        );
      },
    );
    sent.setTimeout(within, () => sent.destroy(new Error(`no answer within ${within} ms`)));
    sent.on('error', reject);
    sent.end(payload);
  });
}

/**
 * Why this service cannot do its part of an order yet; null when it can: it is ready by its own word, and each of its
 * consumers is a member of its group (an order service without a broker is ready, yet nothing would come of its orders).
 */
export async function whatIsMissing(url, { consumers = true } = {}) {
  try {
    const ready = await request(`${url}/health/ready`, { within: 2000 });
    if (ready.status !== 200) return `not ready: ${ready.text.slice(0, 300)}`;
    if (!consumers) return null;
    const { text } = await request(`${url}/metrics`, { within: 2000 });
    const joined = [...text.matchAll(/^faultline_consumer_joined\{[^}]*\} (\d)/gm)];
    if (joined.length === 0) return 'its consumers wait for the broker';
    return joined.every(([, is]) => is === '1') ? null : 'its consumers are joining their groups';
  } catch (error) {
    return error.code === 'ECONNREFUSED'
      ? 'does not listen yet'
      : `does not answer (${error.code ?? error.message})`;
  }
}

/** Resolves when nothing is missing. `trouble` may answer a reason why it is pointless to wait on. */
export async function whenReady(
  name,
  url,
  { within = 60_000, trouble = () => null, log, consumers, say = () => {} } = {},
) {
  const until = Date.now() + within;
  for (;;) {
    const missing = await whatIsMissing(url, { consumers });
    if (missing === null) return;
    say(missing.slice(0, 60));
    const hopeless = trouble() ?? (Date.now() > until ? `${missing} after ${within / 1000} s` : null);
    if (hopeless) throw new Problem(`${name} did not become ready: ${hopeless}\n${tailOf(log)}`);
    await sleep(100);
  }
}

/** The last lines of a log, for a message. */
export function tailOf(file, lines = 8) {
  if (!file || !existsSync(file)) return '';
  const tail = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines);
  return [`Last lines of ${file}:`, ...tail.map((line) => `    ${line.slice(0, 300)}`)].join('\n');
}
