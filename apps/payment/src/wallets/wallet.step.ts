import {
  authorizePayment,
  type BodyOf,
  capturePayment,
  refundPayment,
  voidPayment,
} from '@faultline/contracts';
import type { Transaction } from '@faultline/database';
import { journalPart } from '@faultline/journal';
import type { Envelope } from '@faultline/messaging';
import { type Batch, BatchRecord, type OutgoingMessage, seenPart } from '@faultline/outbox';
import { answer, deadLetterAnswers } from '@faultline/service';
import { v7 as uuidv7 } from 'uuid';
import { authorize, capture, type Decision, refund, voidHold } from './authorization.js';
import { type LedgerEntry, post } from './ledger.js';
import { type Accounts, lockAndLoad, saveParts } from './wallet.store.js';

type Of<Kind> = Envelope & { readonly kind: Kind; readonly body: BodyOf<Kind> };
export type PaymentCommand =
  Of<typeof authorizePayment> | Of<typeof voidPayment> | Of<typeof capturePayment> | Of<typeof refundPayment>;

export interface StepSettings {
  /** CloudEvents source of the replies. */
  readonly source: string;
  partitionsOf(topic: string): number;
  /** Runs after the commit, once per command. */
  onOutcome?(command: string, outcome: string): void;
  onCommit?(): void;
}

/** A batch of commands as one step: lock and load once, decide message by message in their order, save once. */
export function paymentStep(settings: StepSettings) {
  return async (tx: Transaction, batch: Batch<PaymentCommand>): Promise<() => void> => {
    const messages = batch.incoming.map((incoming) => incoming.message);
    const orders = unique(messages.map((message) => message.body.orderId.toLowerCase()));
    const customers = unique(
      messages.flatMap((message) => ('customerId' in message.body ? [message.body.customerId] : [])),
    );

    const loaded = await lockAndLoad(tx, orders, customers, [seenPart(batch)]);
    const { now } = loaded;
    const accounts: Accounts = {
      authorizations: new Map(loaded.authorizations),
      wallets: new Map(loaded.wallets),
    };
    const record = new BatchRecord(batch, loaded.also['seen'] as { message_id: string }[]);

    const outgoing: OutgoingMessage[] = [];
    const entries: Parameters<typeof journalPart>[0][number][] = [];
    const ledger: LedgerEntry[] = [];
    const outcomes: [string, string][] = [];
    for (const incoming of record.fresh) {
      const { verdict, reply, entry } = await answer(incoming, now, (command) => {
        const decision = decide(accounts, command, now);
        keep(accounts, command.body.orderId.toLowerCase(), decision);
        if (decision.movement) ledger.push(...post(decision.movement, uuidv7()));
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
      ...saveParts(loaded, accounts, ledger, now),
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

function decide(accounts: Accounts, command: PaymentCommand, now: number): Decision {
  const orderId = command.body.orderId.toLowerCase();
  const authorization = accounts.authorizations.get(orderId);
  const customerId =
    'customerId' in command.body ? command.body.customerId : authorization?.claim?.customerId;
  const wallet = customerId === undefined ? undefined : accounts.wallets.get(customerId);
  switch (command.kind.type) {
    case authorizePayment.type: {
      if (!('payment' in command.body)) throw new Error('an authorize without a payment passed its schema');
      const { amount, payment } = command.body;
      const claim = { customerId: command.body.customerId, amount, method: payment.method };
      return authorize(wallet, authorization, { ...claim, deadline: command.deadline }, now);
    }
    case voidPayment.type:
      return voidHold(wallet, authorization);
    case capturePayment.type:
      return capture(wallet, authorization, orderId);
    case refundPayment.type:
      return refund(wallet, authorization, orderId);
  }
}

function keep(accounts: Accounts, orderId: string, { authorization, wallet }: Decision): void {
  if (authorization) accounts.authorizations.set(orderId, authorization);
  if (wallet) accounts.wallets.set(wallet.customerId, wallet);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
