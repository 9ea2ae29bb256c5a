// What npm run fault is told, as what /chaos takes.
import { parseArgs } from 'node:util';
import { Problem } from './problem.mjs';

export const HELP = `npm run fault -- <app> <at> <kind>   injects a fault into every replica of an app; it ends by itself
npm run fault -- <app>               says what can be injected there, in words
npm run fault -- --list [app]        the faults that run, their time left, and how often they struck
npm run heal -- [app]                ends them

  app   order, payment, inventory, payment-gateway; order-2 is one replica
  at    http-in, http-out:<dependency>   latency, error, hang, reset
        database                         latency, error, commit-unknown
        produce, consume                 latency, error, duplicate
        process                          crash, pause, block

  --rate <0 to 1>        how likely each call is struck (1)
  --milliseconds <n>     of a latency, a pause, a block
  --status <n>           of an error over HTTP (503)
  --for <30s, 5m, 1h>    when it ends (60s); a pause and a block last so long
  --match <what>=<value> only what is for that orderId, customerId, protocol or topic; several must all be so
  --name <name>          another of the same name gives way (<at>-<kind>)
  --help                 this

  npm run fault -- payment-gateway http-in error --rate 1 --for 30s
  npm run fault -- order http-out:inventory reset
  npm run fault -- payment consume duplicate --match topic=payment.commands
  npm run fault -- payment process pause --for 5s

Ports and token as npm start uses them: ORDER_PORT, …, FAULTLINE_FOLDER, FAULTLINE_SERVICE_TOKEN.
docs/faults.md says what one sees.`;

/** Answers { help }, { list, app }, { app } or { app, name, body }. Throws a Problem for what cannot be understood. */
export function readFault(args) {
  const { values, positionals } = parsed(args);
  if (values.help) return { help: true };
  const [app, at, kind, ...more] = positionals;
  if (values.list) {
    if (at !== undefined) throw new Problem(`--list takes one app, or none.\n\n${HELP}`);
    return { list: true, app };
  }
  if (app === undefined || more.length > 0 || (at !== undefined && kind === undefined))
    throw new Problem(`Name an app, a place and a kind: npm run fault -- <app> <at> <kind>\n\n${HELP}`);
  if (at === undefined) return { app };
  const seconds = values.for === undefined ? undefined : secondsOf(values.for);
  // What stands still does so for as long as it is told to: there is no other end.
  const lasts = at === 'process' && (kind === 'pause' || kind === 'block');
  const milliseconds =
    numberOf(values.milliseconds, '--milliseconds') ??
    (lasts && seconds !== undefined ? Math.round(seconds * 1000) : undefined);
  const match = Object.fromEntries((values.match ?? []).map(pair));
  const body = {
    at,
    kind,
    rate: numberOf(values.rate, '--rate'),
    milliseconds,
    status: numberOf(values.status, '--status'),
    ttlSeconds: lasts ? undefined : seconds,
    match: Object.keys(match).length > 0 ? match : undefined,
  };
  return {
    app,
    name: values.name ?? `${at}-${kind}`.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
    body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)),
  };
}

function parsed(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        rate: { type: 'string' },
        milliseconds: { type: 'string' },
        status: { type: 'string' },
        for: { type: 'string' },
        match: { type: 'string', multiple: true },
        name: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new Problem(`${error.message.split('. ')[0]}.\n\n${HELP}`);
  }
}

function numberOf(given, option) {
  if (given === undefined) return undefined;
  const number = given.trim() === '' ? NaN : Number(given);
  if (!Number.isFinite(number)) throw new Problem(`${option} is ${given}; it must be a number.`);
  return number;
}

/** Seconds in `30s`, `500ms`, `5m`, `1h`, or in a bare number. */
function secondsOf(given) {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(given) ?? [];
  if (number === undefined) throw new Problem(`--for is ${given}; it must be a time like 30s, 5m or 1h.`);
  return (Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]) / 1000;
}

function pair(given) {
  const at = given.indexOf('=');
  if (at < 1 || at === given.length - 1)
    throw new Problem(`--match is ${given}; it must be like customerId=customer-1.`);
  return [given.slice(0, at), given.slice(at + 1)];
}
