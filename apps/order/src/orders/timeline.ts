import type { JournalEntry, Timeline } from '@faultline/contracts';

/** One service's part of the story; throws when it does not answer. */
export type ReadJournal = (orderId: string) => Promise<readonly JournalEntry[]>;

/** What every service did for an order. A service that does not answer is named and not waited for longer. */
export class OrderTimeline {
  constructor(private readonly journals: ReadonlyMap<string, ReadJournal>) {}

  async of(orderId: string): Promise<Timeline> {
    const unanswered: string[] = [];
    const parts = await Promise.all(
      [...this.journals].map(async ([service, read]) => {
        try {
          return await read(orderId);
        } catch {
          unanswered.push(service);
          return [];
        }
      }),
    );
    return { orderId, entries: inCausalOrder(parts.flat()), unanswered };
  }
}

/**
 * An entry comes after the one whose message caused it, whatever the services' clocks say; among those that are free to
 * go, the earlier one goes first. An entry whose cause is missing is free from the start.
 */
export function inCausalOrder(entries: readonly JournalEntry[]): JournalEntry[] {
  const handled = new Set(entries.map((entry) => entry.messageId));
  const waiting = [...entries].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const told = new Set<string | null>();
  const ordered: JournalEntry[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex(
      ({ causationId, messageId }) =>
        causationId === null ||
        causationId === messageId ||
        told.has(causationId) ||
        !handled.has(causationId),
    );
    // Causes cannot form a circle; should rows claim so, time alone decides.
    const [entry] = waiting.splice(Math.max(next, 0), 1);
    if (!entry) break;
    ordered.push(entry);
    told.add(entry.messageId);
  }
  return ordered;
}
