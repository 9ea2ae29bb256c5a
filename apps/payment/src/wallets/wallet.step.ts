import {
  authorizePayment,
  type BodyOf,
  capturePayment,
  type CommandName,
  refundPayment,
  voidPayment,
} from '@faultline/contracts';
import type { Transaction } from '@faultline/database';
import { schedulePart } from '@faultline/due-work';
import { journalPart } from '@faultline/journal';
import type { Envelope } from '@faultline/messaging';
import { type Batch, BatchRecord, type OutgoingMessage, seenPart } from '@faultline/outbox';
import { answer, deadLetterAnswers, lateAnswer } from '@faultline/service';
import { v7 as uuidv7 } from 'uuid';
import {
  authorizeCard,
  callOwed,
  captureCard,
  type Card,
  type CardDecision,
  cardTombstone,
  refundCard,
  voidCard,
  type Waiting,
} from '../cards/card.js';
import { cardCalls } from '../cards/card.calls.js';
import { saveCards } from '../cards/card.store.js';
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
  /** Runs after the commit when calls to the card gateway are owed. */
  onCalls?(): void;
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

    const cards = new Map(loaded.cards);
    const late: ReturnType<typeof lateAnswer>[] = [];
    const outgoing: OutgoingMessage[] = [];
    const entries: Parameters<typeof journalPart>[0][number][] = [];
    const ledger: LedgerEntry[] = [];
    const outcomes: [string, string][] = [];
    for (const incoming of record.fresh) {
      const { verdict, reply, entry } = await answer(incoming, now, (command, traceparent) => {
        const decided = decideCard(accounts, cards, command, traceparent, now);
        if (decided) {
          const waited = { orderId: command.body.orderId.toLowerCase() };
          late.push(
            ...(decided.answers ?? []).map(({ to, answer: said }) =>
              lateAnswer({ ...waited, ...to }, said, now),
            ),
          );
          return decided.answer;
        }
        const decision = decide(accounts, command, now);
        keep(accounts, command.body.orderId.toLowerCase(), decision);
        // Who paid how is not known yet: an authorize by card that another consumer handles now must meet it there, too.
        if (isTombstone(decision)) cards.set(command.body.orderId.toLowerCase(), cardTombstone);
        if (decision.movement) ledger.push(...post(decision.movement, uuidv7()));
        return decision;
      });
      if ('refused' in verdict && verdict.refused === 'EXPIRED') record.expired(incoming);
      else record.applied(incoming);
      if (reply) outgoing.push(reply);
      entries.push(entry);
      outcomes.push([entry.what, entry.outcome]);
    }
    const dead = deadLetterAnswers(record.poisoned, now);
    outgoing.push(...late.map(({ reply }) => reply), ...dead.replies);
    entries.push(...late.map(({ entry }) => entry), ...dead.entries);

    // Only where another call is owed than before: one that is under way must not be disturbed by a repeated command.
    const calls = [...cards].filter(([orderId, card]) => {
      const before = loaded.cards.get(orderId);
      return callOwed(card) !== null && card.status !== before?.status;
    });
    await tx.write([
      ...saveParts(loaded, accounts, ledger, now),
      ...saveCards(loaded.cards, cards, now),
      schedulePart(calls.map(([orderId]) => ({ kind: cardCalls, key: orderId, dueAt: now }))),
      journalPart(entries),
      ...record.parts(outgoing, {
        source: settings.source,
        partitionsOf: (topic) => settings.partitionsOf(topic),
        now,
      }),
    ]);
    return () => {
      for (const [command, outcome] of outcomes) settings.onOutcome?.(command, outcome);
      if (calls.length > 0) settings.onCalls?.();
      settings.onCommit?.();
    };
  };
}

/** Decides a command for an order that is paid by card; undefined when it is not. */
function decideCard(
  accounts: Accounts,
  cards: Map<string, Card>,
  command: PaymentCommand,
  traceparent: string | null,
  now: number,
): CardDecision | undefined {
  const orderId = command.body.orderId.toLowerCase();
  const card = cards.get(orderId);
  const decision = onCard();
  if (decision?.card) cards.set(orderId, decision.card);
  return decision;

  function onCard(): CardDecision | undefined {
    const { attempt } = command.body;
    const as = (name: CommandName): Waiting => ({
      command: name,
      attempt,
      messageId: command.id,
      traceparent,
    });
    switch (command.kind.type) {
      case authorizePayment.type: {
        if (!('payment' in command.body) || command.body.payment.method !== 'card') return undefined;
        // A void that overtook this could not know that the order is paid by card: its tombstone is beside the wallets'.
        if (accounts.authorizations.has(orderId)) return undefined;
        const { amount, customerId, payment } = command.body;
        const customerIsKnown = accounts.wallets.has(customerId);
        const claim = { customerId, amount, cardToken: payment.cardToken, deadline: command.deadline };
        return authorizeCard(card, { ...claim, customerIsKnown }, as('authorize-payment'), now);
      }
      case voidPayment.type:
        return card && voidCard(card, as('void-payment'));
      case capturePayment.type:
        return card && captureCard(card, as('capture-payment'));
      case refundPayment.type:
        return card && refundCard(card, as('refund-payment'));
    }
  }
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
      const { amount, customerId: payer } = command.body;
      const claim = { customerId: payer, amount, method: 'wallet' as const };
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

function isTombstone({ authorization }: Decision): boolean {
  return authorization?.status === 'VOIDED' && authorization.claim === null;
}

function keep(accounts: Accounts, orderId: string, { authorization, wallet }: Decision): void {
  if (authorization) accounts.authorizations.set(orderId, authorization);
  if (wallet) accounts.wallets.set(wallet.customerId, wallet);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
