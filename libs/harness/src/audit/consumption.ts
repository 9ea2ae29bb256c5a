import type { Position } from '@faultline/messaging';
import type { GuardedChange, KeptLetter } from '../recorded-rows.js';
import type { TappedRecord } from '../tap.js';
import { consumers as everyConsumer, type KnownConsumer } from './consumers.js';
import type { DeadLetter, InboxRow } from './tables.js';
import { type Check, Rows } from './verdict.js';

/** One consumer: what lay in its topics, what its inbox says, and how far its group says it has come. */
export interface Consumption {
  readonly consumer: KnownConsumer;
  readonly tapped: readonly TappedRecord[];
  readonly inbox: readonly InboxRow[];
  readonly committed: readonly Position[];
  readonly deadLetters: readonly DeadLetter[];
}

/** What the inbox knows a record by: its own id, else the place where it lies. */
export function inboxIdOf({ topic, partition, offset, id, headers }: TappedRecord): string {
  return usableId.test(id ?? '')
    ? (id ?? '')
    : (headers['faultline_redrive_id'] ?? `${topic}/${partition}/${offset}`);
}
const usableId = /^[0-9A-Za-z][0-9A-Za-z._:~-]{0,199}$/;

/** L: whatever lies below the committed offset of a group is in its inbox. */
export function handled(consumptions: readonly Consumption[]): Check {
  const rows = new Rows();
  let below = 0;
  for (const { consumer, tapped, inbox, committed } of consumptions) {
    const own = inbox.filter((row) => row.consumer === consumer.name);
    const known = new Set(own.map(({ messageId }) => messageId));
    const reached = new Map(committed.map((each) => [`${each.topic}/${each.partition}`, each]));
    for (const { topic, partition, end, committed: offset } of committed) {
      rows.expect(
        (offset ?? 0) <= end,
        `${consumer.name} committed ${offset} in ${topic}/${partition}, which ends at ${end}`,
      );
    }
    for (const record of tapped) {
      const { topic, partition, offset } = record;
      if (offset >= (reached.get(`${topic}/${partition}`)?.committed ?? 0)) continue;
      below += 1;
      rows.expect(
        known.has(inboxIdOf(record)),
        `${topic}/${partition}/${offset} (${inboxIdOf(record)}) lies below the committed offset of ${consumer.name}, which never handled it`,
      );
    }
  }
  return { invariant: 'L', looked: { 'records below committed offsets': below }, rows: rows.found };
}

/** D: per consumer, consumed = applied + expired + ignored + dead-lettered + repeats; and nobody wanted a dead letter. */
export function outcomes(consumptions: readonly Consumption[]): Check {
  const rows = new Rows();
  let records = 0;
  let repeats = 0;
  for (const { consumer, tapped, inbox, deadLetters } of consumptions) {
    const outcomeOf = new Map(
      inbox.filter((row) => row.consumer === consumer.name).map((row) => [row.messageId, row.outcome]),
    );
    const consumed = new Set(tapped.map(inboxIdOf));
    records += tapped.length;
    repeats += tapped.length - consumed.size;
    for (const id of consumed)
      rows.expect(outcomeOf.has(id), `${consumer.name}: ${id} came and has no outcome`);
    const kept = new Set(
      deadLetters
        .filter((letter) => letter.consumer === consumer.name && letter.status === 'DEAD')
        .map(({ messageId }) => messageId),
    );
    for (const [id, outcome] of outcomeOf) {
      rows.expect(consumed.has(id), `${consumer.name}: ${id} is ${outcome} and never came`);
      const isKnown = ['applied', 'expired', 'ignored', 'dead-lettered'].includes(outcome);
      rows.expect(isKnown, `${consumer.name}: ${id} is ${outcome}, which is no outcome`);
      rows.expect(
        (outcome === 'dead-lettered') === kept.has(id),
        `${consumer.name}: ${id} is ${outcome} and ${kept.has(id) ? 'lies' : 'does not lie'} among the dead letters`,
      );
    }
    for (const row of inbox) {
      const isKnown = everyConsumer.some(({ name }) => name === row.consumer);
      rows.expect(
        isKnown,
        `${row.messageId} is ${row.outcome} for ${row.consumer}, whom the audit does not know`,
      );
    }
  }
  return { invariant: 'D', looked: { 'records consumed': records }, also: { repeats }, rows: rows.found };
}

/** D: a healthy run leaves no dead letter. */
export function unwanted(deadLetters: readonly DeadLetter[]): string[] {
  return deadLetters.map(
    ({ id, consumer, topic, messageId, reason }) =>
      `dead letter ${id}: ${consumer} could not take ${messageId} of ${topic}: ${reason}`,
  );
}

/** D: what was dead-lettered stays there, redriven or not, for as long as anybody may ask for it. */
export function vanished(changes: readonly GuardedChange<KeptLetter>[]): string[] {
  return changes.flatMap(({ before, after }) =>
    before && !after ? [`dead letter ${before.id} of ${before.messageId} vanished`] : [],
  );
}
