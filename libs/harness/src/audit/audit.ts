import { OrderAudit } from '@faultline/contracts';
import { Client } from '../client.js';
import type { Observation } from '../observation.js';
import { SERVICES, type System } from '../system.js';
import { agreement, perOrder } from './agreement.js';
import { cardByCard, cards } from './cards.js';
import { answers } from './answers.js';
import { type Books, deadLetters, read, readBooks } from './books.js';
import { unwanted } from './consumption.js';
import { charges, once } from './effects.js';
import { ledger, money } from './money.js';
import { untilAllIsConsumed, untilServicesAreQuiet } from './quiet.js';
import { reservations, stock } from './stock.js';
import { readTables, type Tables } from './tables.js';
import { type Outage, termination } from './termination.js';
import { timelines } from './timelines.js';
import { toldBy } from './told.js';
import { type Check, findingsOf, type Verdict, verdictsOf } from './verdict.js';
import { watchedInvariants } from './watched.js';

export interface AuditOptions {
  /** Milliseconds until nothing is PENDING or SETTLING any more. */
  readonly within?: number;
  /** Of how many orders the timelines are read, too. */
  readonly timelines?: number;
}

/**
 * Compares, over HTTP alone, what the three services vouch for: with themselves, with each other, and with what the
 * client was told. Answers one line per offending row, led by the invariant it breaks; none when all is well. It sees
 * nothing that the services deleted or never told: `judge` does.
 */
export async function audit(
  system: System,
  client: Client,
  { within = 60_000, timelines: atMost = 50 }: AuditOptions = {},
): Promise<string[]> {
  const open = await endOf(client, within);
  const busy: Check[] = await untilServicesAreQuiet(system, 20_000).then(
    () => [],
    (error: unknown) => [{ invariant: 'O', looked: {}, rows: [`never quiet: ${String(error)}`] }],
  );
  const books = await readBooks(system, client);
  return findingsOf([
    open,
    ...busy,
    ...booksInvariants(books, client),
    { invariant: 'D', looked: {}, rows: unwanted(await deadLetters(system)) },
    await timelines(system, books.listed, atMost),
  ]);
}

/**
 * The same of a system that somebody else has started and uses: nobody is there who was told of its orders, so the
 * services are compared with each other alone. Waits at most `within` milliseconds until nothing is under way, and says
 * now and then what it waits for.
 */
export async function auditOf(
  { urls }: Pick<System, 'urls'>,
  within: number,
  say: (what: string) => void,
): Promise<Verdict[]> {
  const until = performance.now() + within;
  let open = await underWay(urls.order);
  for (let said = -Infinity; open !== null && performance.now() < until; open = await underWay(urls.order)) {
    if (performance.now() - said > 2000) {
      said = performance.now();
      say(open);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const books = await readBooks({ urls }, new Client(urls));
  const told = toldBy(books);
  const letters = await deadLetters({ urls });
  return verdictsOf([
    { invariant: 'T', looked: {}, rows: open === null ? [] : [`still under way: ${open}`] },
    money(books.money, told),
    stock(books.stock, told),
    cards(books),
    termination(books.orders, books.listed),
    agreement(books, told),
    { invariant: 'D', looked: {}, also: { 'dead letters': letters.length }, rows: unwanted(letters) },
  ]);
}

/** What has not ended yet, in words; null when everything has. */
async function underWay(orderUrl: string): Promise<string | null> {
  const { orders } = await read(`${orderUrl}/audit`, OrderAudit);
  const open = orders.filter(({ status, settlement }) => status === 'PENDING' || settlement === 'SETTLING');
  if (open.length === 0) return null;
  return open.map(({ count, status, settlement }) => `${count} orders ${status}/${settlement}`).join(', ');
}

export interface JudgeOptions {
  /** Milliseconds until nothing is PENDING or SETTLING any more, and everything has been consumed. */
  readonly within?: number;
  /** When not all services were up: a deadline waits for them. */
  readonly outages?: readonly Outage[];
}

/**
 * The verdict on every invariant: by what the services vouch for, by their tables, by what the triggers recorded and by
 * what the tap heard. The observation must have begun before the first order.
 */
export async function judge(
  system: System,
  client: Client,
  observation: Observation,
  { within = 60_000, outages = [] }: JudgeOptions = {},
): Promise<Verdict[]> {
  const open = await endOf(client, within);
  const busy: Check[] = await untilAllIsConsumed(observation, within).then(
    () => [],
    (error: unknown) => [{ invariant: 'T', looked: {}, rows: [`never quiet: ${String(error)}`] }],
  );
  const books = await readBooks(system, client);
  const tables = await readTables(observation.databases);
  return verdictsOf([
    open,
    ...busy,
    ...booksInvariants(books, client, outages),
    ...tablesInvariants(books, tables),
    ...(await watchedInvariants(observation, tables, books)),
  ]);
}

async function endOf(client: Client, within: number): Promise<Check> {
  const rows = await client.allEnded(within).then(
    () => [],
    (error: unknown) => [String(error)],
  );
  return { invariant: 'T', looked: {}, rows };
}

function booksInvariants(books: Books, client: Client, outages: readonly Outage[] = []): Check[] {
  return [
    money(books.money, client),
    cards(books),
    stock(books.stock, client),
    termination(books.orders, books.listed, outages),
    agreement(books, client),
    answers(books, client),
  ];
}

function tablesInvariants(books: Books, tables: Tables): Check[] {
  return [
    ledger(books.money, tables.ledger, tables.authorizations),
    cardByCard(books, tables.cards),
    reservations(books.stock, tables.reservations),
    perOrder(books, tables),
    ...SERVICES.map((service) => once(service, tables.journal[service])),
    charges(tables.ledger),
  ];
}
