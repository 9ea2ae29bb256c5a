import type { Part } from '@faultline/database';
import { schedulePart, finishPart } from '@faultline/due-work';
import { journalPart } from '@faultline/journal';
import type { OutgoingMessage } from '@faultline/outbox';
import {
  assertSaved,
  commandName,
  decide,
  nextDue,
  saveSagas,
  type Decided,
  type SagaDefinitions,
  type SagaEvent,
  type SagaMessage,
  type SagaRow,
} from '@faultline/saga';
import {
  approve,
  reject,
  resumeSettlement,
  settle,
  settlementOf,
  suspendSettlement,
  undo,
  type Order,
} from '../../orders/order.js';
import { orderOf, saveOrders, type OrderRow } from '../../orders/order.store.js';
import type { NewId } from '../protocol.js';
import { commandMessages, eventMessages, rejectionOf } from './saga-messages.js';
import { sagaDueWork } from './saga.protocol.js';

/** What a step's load answered: sagas and their orders, read under the sagas' locks, at the database's time. */
export interface Loaded {
  readonly now: number;
  readonly sagas: readonly SagaRow[];
  readonly orders: readonly OrderRow[];
}

/** What made the saga move: for the journal, and for what the resulting messages name as their cause. */
export interface Cause {
  readonly what: string;
  readonly messageId: string;
  readonly causationId: string | null;
  readonly attempt: number;
  /** The span that handles it; null when nothing is traced. */
  readonly traceparent: string | null;
  /** Opens that span instead, when only the decision shows that there is something to handle. */
  readonly open?: (order: Order, decided: Decided) => string | null;
}

/** A step's answer and how many milliseconds after its first sending it came. */
export interface AnsweredStep {
  readonly step: string;
  readonly milliseconds: number;
}

/** No saga is stored under this order's id. */
export class UnknownSaga extends Error {
  override readonly name = 'UnknownSaga';
}

/**
 * The sagas that one step touches: decides message by message in memory, collects what comes of it, and answers
 * everything that has to be saved as the parts of one statement. Touches neither database nor clock: the step that uses
 * it owns lock, load and commit.
 */
export class OrderSagas {
  readonly messages: OutgoingMessage[] = [];
  readonly answered: AnsweredStep[] = [];
  readonly #now: number;
  readonly #sagas: Map<string, SagaRow>;
  readonly #orders: Map<string, Order>;
  readonly #changedSagas = new Set<string>();
  readonly #changedOrders = new Set<string>();
  /** When each saga was due as it was loaded; its row in due work is due then or earlier. */
  readonly #dueBefore: ReadonlyMap<string, number | null>;
  readonly #journal: Parameters<typeof journalPart>[0][number][] = [];

  constructor(
    private readonly definitions: SagaDefinitions<Order>,
    loaded: Loaded,
    private readonly newId: NewId,
  ) {
    this.#now = loaded.now;
    this.#sagas = new Map(loaded.sagas.map((row) => [row.id, row]));
    this.#dueBefore = new Map(loaded.sagas.map((row) => [row.id, nextDue(row.state)]));
    this.#orders = new Map(loaded.orders.map((row) => [row.id, orderOf(row)]));
  }

  /** Throws UnknownSaga, UnknownDefinition, Contradiction or NotAllowed; then nothing about this saga has changed. */
  handle(orderId: string, message: SagaMessage, cause: Cause): Decided {
    const saga = this.#sagas.get(orderId);
    const order = this.#orders.get(orderId);
    if (!saga || !order) throw new UnknownSaga(`no saga is stored for order ${orderId}`);
    const definition = this.definitions.get(saga.definition, saga.definitionVersion);
    const decided = decide(definition, saga.state, order, message, this.#now);
    const next = decided.events.reduce((before, event) => this.#follow(before, event), order);

    if (decided.outcome === 'ADVANCED') {
      this.#measure(saga, decided);
      this.#sagas.set(orderId, { ...saga, state: decided.state });
      this.#changedSagas.add(orderId);
    }
    if (next !== order) {
      this.#orders.set(orderId, next);
      this.#changedOrders.add(orderId);
    }
    const trace = cause.traceparent ?? cause.open?.(next, decided) ?? order.traceparent;
    this.messages.push(
      ...commandMessages(next, decided.commands, cause.messageId, trace, this.newId),
      ...eventMessages(next, decided.events, cause.messageId, trace, this.newId),
    );
    // A tick that found nothing due is not worth a line in the order's story.
    if (decided.outcome !== 'EARLY') this.#note(next, decided, cause);
    return decided;
  }

  /** The orders as this step leaves them, those that it changed. */
  changed(): Order[] {
    return [...this.#changedOrders].flatMap((id) => this.#orders.get(id) ?? []);
  }

  /** Everything to be saved but the messages. `ticked` names the sagas whose due work this step has claimed. */
  parts(ticked: readonly string[] = []): Part[] {
    const ended: string[] = [];
    const waking: { kind: string; key: string; dueAt: number }[] = [];
    for (const id of new Set([...this.#changedSagas, ...ticked])) {
      const state = this.#sagas.get(id)?.state;
      if (!state) continue;
      const at = nextDue(state);
      // Nothing is due any more: the saga has ended, or only an operator or a redrive can move it.
      if (at === null) ended.push(id);
      // A row that comes too early only makes one more look, and moving it at each answer would cost a write per
      // message. It must never come too late: it is moved when the saga is due earlier than it was.
      else if (ticked.includes(id) || at < (this.#dueBefore.get(id) ?? Infinity)) {
        waking.push({ kind: sagaDueWork, key: id, dueAt: at });
      }
    }
    return [
      saveSagas(this.#rows(), this.#now),
      saveOrders(this.changed()),
      journalPart(this.#journal),
      schedulePart(waking),
      finishPart(ended.map((key) => ({ kind: sagaDueWork, key }))),
    ];
  }

  /** Throws StaleSaga when another process saved one of the sagas in between. */
  assertSaved(counts: Readonly<Record<string, number>>): void {
    assertSaved(counts, this.#rows());
  }

  #rows(): SagaRow[] {
    return [...this.#changedSagas].sort().flatMap((id) => this.#sagas.get(id) ?? []);
  }

  #follow(order: Order, event: SagaEvent): Order {
    switch (event.type) {
      case 'approved':
        return approve(order, this.#now);
      case 'rejected':
        return reject(order, rejectionOf(event), this.#now);
      case 'completed':
        return settle(order, this.#now);
      case 'compensated':
        return undo(order, this.#now);
      case 'suspended':
        return suspendSettlement(order);
      case 'resumed':
        return resumeSettlement(order);
    }
  }

  #measure(saga: SagaRow, decided: Decided): void {
    for (const [step, before] of Object.entries(saga.state.steps)) {
      const after = decided.state.steps[step]?.status;
      if (before.status === 'SENT' && (after === 'DONE' || after === 'REFUSED')) {
        this.answered.push({ step, milliseconds: this.#now - before.since });
      }
    }
  }

  #note(order: Order, decided: Decided, cause: Cause): void {
    this.#journal.push({
      orderId: order.orderId,
      at: this.#now,
      what: cause.what,
      messageId: cause.messageId,
      causationId: cause.causationId,
      attempt: cause.attempt,
      outcome: decided.outcome === 'ADVANCED' ? `${order.status}/${settlementOf(order)}` : decided.outcome,
      detail: {
        events: decided.events,
        sent: decided.commands.map((command) => `${commandName(command.kind)} #${command.attempt}`),
      },
    });
  }
}
