import type { Observation } from '../observation.js';
import { SERVICES } from '../system.js';
import type { Books } from './books.js';
import { consumers } from './consumers.js';
import { type Consumption, handled, outcomes, unwanted, vanished } from './consumption.js';
import { exactlyOnce } from './effects.js';
import { dueWork, leases, sagas } from './fences.js';
import { announcements, arrivalOrder, type Outbox, publication } from './publication.js';
import type { Tables } from './tables.js';
import { transitions } from './termination.js';
import type { Check } from './verdict.js';

/** What only triggers and tap can tell: of rows that are gone, of changes, and of what lies in the topics. */
export async function watchedInvariants(
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
      inboxChanges: await recording.forgotten(consumption.consumer.service),
      journal: tables.journal[consumption.consumer.service],
      written: outboxes.find(({ service }) => service === consumption.consumer.service)?.written ?? [],
    })),
  );
  const saves: Check[] = [];
  for await (const page of recording.sagas()) saves.push(sagas(page));
  const gone: string[] = [];
  for (const service of SERVICES) gone.push(...vanished(await recording.goneLetters(service)));
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
    ...saves,
    { invariant: 'D', looked: {}, rows: gone },
  ];
}
