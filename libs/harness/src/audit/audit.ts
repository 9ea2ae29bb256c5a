import type { Client } from '../client.js';
import type { Observation } from '../observation.js';
import { SERVICES, type System } from '../system.js';
import { agreement, perOrder } from './agreement.js';
import { answers } from './answers.js';
import { type Books, deadLetters, readBooks } from './books.js';
import { consumers } from './consumers.js';
import { type Consumption, handled, outcomes, unwanted } from './consumption.js';
import { charges, exactlyOnce, once } from './effects.js';
import { dueWork, leases, sagas } from './fences.js';
import { ledger, money } from './money.js';
import { announcements, arrivalOrder, type Outbox, publication } from './publication.js';
import { untilAllIsConsumed, untilServicesAreQuiet } from './quiet.js';
import { reservations, stock } from './stock.js';
import { readTables, type Tables } from './tables.js';
import { type Outage, termination, transitions } from './termination.js';
import { timelines } from './timelines.js';
import { type Check, findingsOf, type Verdict, verdictsOf } from './verdict.js';

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
    stock(books.stock, client),
    termination(books.orders, books.listed, outages),
    agreement(books, client),
    answers(books, client),
  ];
}

function tablesInvariants(books: Books, tables: Tables): Check[] {
  return [
    ledger(books.money, tables.ledger, tables.authorizations),
    reservations(books.stock, tables.reservations),
    perOrder(books, tables),
    ...SERVICES.map((service) => once(service, tables.journal[service])),
    charges(tables.ledger),
  ];
}

async function watchedInvariants(
  { recording, tap }: Observation,
  tables: Tables,
  { listed }: Books,
): Promise<Check[]> {
  const tapped = tap.records();
  const outboxes: (Outbox & { readonly leases: Check; readonly dueWork: Check })[] = [];
  for (const service of SERVICES) {
    const removed = await recording.removed(service);
    outboxes.push({
      service,
      written: await recording.written(service),
      removed: new Set(removed.flatMap(({ before }) => before?.seq ?? [])),
      deadLetters: tables.deadLetters[service],
      leases: leases(service, await recording.leases(service), removed),
      dueWork: dueWork(service, await recording.dueWork(service), tables.journal[service]),
    });
  }
  const consumptions = await Promise.all(
    consumers.map(async (consumer): Promise<Consumption> => ({
      consumer,
      tapped: tapped.filter(({ topic }) => consumer.topics.includes(topic)),
      inbox: tables.inbox[consumer.service],
      committed: await tap.positions(consumer.name, consumer.topics),
      deadLetters: tables.deadLetters[consumer.service],
    })),
  );
  const handlings = await Promise.all(
    consumptions.map(async (consumption) => ({
      ...consumption,
      inboxChanges: await recording.inbox(consumption.consumer.service),
      journal: tables.journal[consumption.consumer.service],
      written: outboxes.find(({ service }) => service === consumption.consumer.service)?.written ?? [],
    })),
  );
  return [
    transitions(await recording.orders()),
    publication(outboxes, tapped),
    announcements(listed, tapped),
    arrivalOrder(outboxes, tapped),
    ...handlings.map(exactlyOnce),
    handled(consumptions),
    outcomes(consumptions),
    {
      invariant: 'D',
      looked: {},
      rows: unwanted(SERVICES.flatMap((service) => tables.deadLetters[service])),
    },
    ...outboxes.flatMap((outbox) => [outbox.leases, outbox.dueWork]),
    sagas(await recording.sagas()),
  ];
}
