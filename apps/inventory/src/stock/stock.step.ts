import { type BodyOf, confirmStock, releaseStock, reserveStock, returnStock } from '@faultline/contracts';
import type { Transaction } from '@faultline/database';
import { journalPart } from '@faultline/journal';
import type { Envelope } from '@faultline/messaging';
import { type Batch, BatchRecord, type OutgoingMessage, seenPart } from '@faultline/outbox';
import { answer, deadLetterAnswers } from '@faultline/service';
import { confirm, type Decision, release, reserve, takeReturn } from './reservation.js';
import { lockAndLoad, saveParts, type Stock } from './stock.store.js';

type Of<Kind> = Envelope & { readonly kind: Kind; readonly body: BodyOf<Kind> };
export type StockCommand =
  Of<typeof reserveStock> | Of<typeof releaseStock> | Of<typeof confirmStock> | Of<typeof returnStock>;

export interface StepSettings {
  /** CloudEvents source of the replies. */
  readonly source: string;
  partitionsOf(topic: string): number;
  /** Runs after the commit, once per command. */
  onOutcome?(command: string, outcome: string): void;
  onCommit?(): void;
}

/** A batch of commands as one step: lock and load once, decide message by message in their order, save once. */
export function stockStep(settings: StepSettings) {
  return async (tx: Transaction, batch: Batch<StockCommand>): Promise<() => void> => {
    const messages = batch.incoming.map((incoming) => incoming.message);
    const orders = unique(messages.map((message) => message.body.orderId.toLowerCase()));
    const skus = unique(
      messages
        .flatMap((message) => ('lines' in message.body ? message.body.lines : []))
        .map((line) => line.sku),
    );

    const loaded = await lockAndLoad(tx, orders, skus, [seenPart(batch)]);
    const { now } = loaded;
    const stock: Stock = { reservations: new Map(loaded.reservations), shelves: new Map(loaded.shelves) };
    const record = new BatchRecord(batch, loaded.also['seen'] as { message_id: string }[]);

    const outgoing: OutgoingMessage[] = [];
    const entries: Parameters<typeof journalPart>[0][number][] = [];
    const outcomes: [string, string][] = [];
    for (const incoming of record.fresh) {
      const { verdict, reply, entry } = await answer(incoming, now, (command) => {
        const decision = decide(stock, command, now);
        keep(stock, command.body.orderId.toLowerCase(), decision);
        return decision;
      });
      if ('refused' in verdict && verdict.refused === 'EXPIRED') record.expired(incoming);
      else record.applied(incoming);
      outgoing.push(reply);
      entries.push(entry);
      outcomes.push([entry.what, entry.outcome]);
    }
    const dead = deadLetterAnswers(record.poisoned, now);
    outgoing.push(...dead.replies);
    entries.push(...dead.entries);

    await tx.write([
      ...saveParts(loaded, stock, now),
      journalPart(entries),
      ...record.parts(outgoing, {
        source: settings.source,
        partitionsOf: (topic) => settings.partitionsOf(topic),
        now,
      }),
    ]);
    return () => {
      for (const [command, outcome] of outcomes) settings.onOutcome?.(command, outcome);
      settings.onCommit?.();
    };
  };
}

function decide(stock: Stock, command: StockCommand, now: number): Decision {
  const reservation = stock.reservations.get(command.body.orderId.toLowerCase());
  switch (command.kind.type) {
    case reserveStock.type:
      if (!('lines' in command.body)) throw new Error('a reserve without lines passed its schema');
      return reserve(
        stock.shelves,
        reservation,
        { lines: command.body.lines, deadline: command.deadline },
        now,
      );
    case releaseStock.type:
      return release(stock.shelves, reservation);
    case confirmStock.type:
      return confirm(stock.shelves, reservation);
    case returnStock.type:
      return takeReturn(stock.shelves, reservation);
  }
}

function keep(stock: Stock, orderId: string, { reservation, shelves }: Decision): void {
  if (reservation) stock.reservations.set(orderId, reservation);
  for (const shelf of shelves ?? []) stock.shelves.set(shelf.sku, shelf);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
