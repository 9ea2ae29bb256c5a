import { databaseClock, type Part, type Transaction } from '@faultline/database';
import { heldPart, type Claimed } from '@faultline/due-work';
import type { Envelope } from '@faultline/messaging';
import { BatchRecord, outboxPart, seenPart, whileProcessing, type Batch } from '@faultline/outbox';
import {
  Contradiction,
  loadSagas,
  lockSagas,
  UnknownDefinition,
  type SagaDefinitions,
  type SagaMessage,
  type SagaRow,
} from '@faultline/saga';
import { describeSpan, type startSpan } from '@faultline/telemetry';
import type { Order } from '../../orders/order.js';
import { loadOrders, type OrderRow } from '../../orders/order.store.js';
import type { NewId } from '../protocol.js';
import { OrderSagas, UnknownSaga, type AnsweredStep, type Cause } from './order-sagas.js';
import { replyOf } from './participant-replies.js';
import { decisionSpan, noteDecided } from './saga-spans.js';

export interface SagaStepOptions {
  readonly definitions: SagaDefinitions<Order>;
  readonly source: string;
  readonly partitionsOf: (topic: string) => number;
  readonly newId: NewId;
  /** Called after the commit with the orders that changed and the steps that were answered. */
  readonly committed: (orders: readonly Order[], answered: readonly AnsweredStep[]) => void;
}

export interface Reply extends Envelope {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: unknown;
}

/**
 * One transaction for everything the participants answered in one fetch: lock the sagas in order, load, decide answer
 * by answer, save once. An answer that cannot be is dead-lettered here, and its neighbours take effect.
 */
export function replyStep(options: SagaStepOptions) {
  return async (tx: Transaction, batch: Batch<Reply>): Promise<() => void> => {
    const ids = [...new Set(batch.incoming.flatMap(({ message }) => replyOf(message)?.orderId ?? []))];
    await tx.query(lockSagas(ids));
    const loaded = await load(tx, ids, [seenPart(batch)]);
    const record = new BatchRecord(batch, loaded.rows['seen'] ?? []);
    const sagas = new OrderSagas(options.definitions, loaded, options.newId);

    for (const incoming of record.fresh) {
      const reply = replyOf(incoming.message);
      if (!reply) {
        record.ignored(incoming);
        continue;
      }
      try {
        await whileProcessing(incoming, (traceparent) => {
          const decided = sagas.handle(reply.orderId, reply.message, {
            what: `${reply.message.command} ${reply.message.type}`,
            messageId: incoming.message.id,
            causationId: incoming.message.causationId,
            attempt: reply.message.attempt,
            traceparent,
          });
          describeSpan({
            'faultline.command': reply.message.command,
            'faultline.attempt': reply.message.attempt,
            'faultline.outcome': reply.message.type === 'refused' ? reply.message.reason : reply.message.type,
          });
          noteDecided(decided);
        });
        record.applied(incoming);
      } catch (error) {
        if (!isMessagesFault(error)) throw error;
        record.deadLetter(incoming, error.name, error.message);
      }
    }

    const settings = { source: options.source, partitionsOf: options.partitionsOf, now: loaded.now };
    sagas.assertSaved(await tx.write([...sagas.parts(), ...record.parts(sagas.messages, settings)]));
    return () => {
      options.committed(sagas.changed(), sagas.answered);
    };
  };
}

/**
 * One transaction for sagas whose deadline or repeat is due. Those that another process has taken over are left alone.
 * The spans that it opens have to end with the transaction.
 */
export function dueStep(options: SagaStepOptions) {
  return async (
    tx: Transaction,
    claimed: readonly Claimed[],
    open: typeof startSpan,
  ): Promise<() => void> => {
    await tx.query(lockSagas(claimed.map(({ key }) => key)));
    const loaded = await load(
      tx,
      claimed.map(({ key }) => key),
      [heldPart(claimed)],
    );
    const held = new Set((loaded.rows['due-held'] as { key: string }[] | undefined)?.map(({ key }) => key));
    const sagas = new OrderSagas(options.definitions, loaded, options.newId);
    const known = loaded.sagas.map(({ id }) => id).filter((id) => held.has(id));
    for (const id of known) {
      const tick = cause('due', options.newId());
      sagas.handle(id, { type: 'tick' }, { ...tick, open: decisionSpan(open, 'due-work saga') });
    }
    const settings = { source: options.source, partitionsOf: options.partitionsOf, now: loaded.now };
    sagas.assertSaved(await tx.write([...sagas.parts(known), outboxPart(sagas.messages, settings)]));
    return () => {
      options.committed(sagas.changed(), sagas.answered);
    };
  };
}

/**
 * One transaction for what an operator asked of one saga. Throws NotAllowed, UnknownSaga; then nothing has changed. The
 * span that it opens has to end with the transaction.
 */
export function operatorStep(options: SagaStepOptions) {
  return async (
    tx: Transaction,
    orderId: string,
    request: Extract<SagaMessage, { readonly type: 'resume' | 'compensate' | 'skip' }>,
    open: typeof startSpan,
  ): Promise<() => void> => {
    await tx.query(lockSagas([orderId]));
    const loaded = await load(tx, [orderId], []);
    const sagas = new OrderSagas(options.definitions, loaded, options.newId);
    const asked = cause(`operator: ${request.type}`, options.newId());
    sagas.handle(orderId, request, { ...asked, open: decisionSpan(open, `operator ${request.type}`) });
    const settings = { source: options.source, partitionsOf: options.partitionsOf, now: loaded.now };
    sagas.assertSaved(await tx.write([...sagas.parts(), outboxPart(sagas.messages, settings)]));
    return () => {
      options.committed(sagas.changed(), sagas.answered);
    };
  };
}

interface LoadedRows {
  readonly now: number;
  readonly sagas: readonly SagaRow[];
  readonly orders: readonly OrderRow[];
  readonly rows: Readonly<Record<string, unknown[]>>;
}

/** Under the sagas' locks and in a statement of its own: what was committed while it waited for them is seen. */
async function load(tx: Transaction, ids: readonly string[], more: readonly Part[]): Promise<LoadedRows> {
  const rows = await tx.read([databaseClock, loadSagas(ids), loadOrders(ids), ...more]);
  const [clock] = rows['clock'] as { now: number }[];
  if (!clock) throw new Error('the database did not tell its time');
  return { now: clock.now, sagas: rows['sagas'] as SagaRow[], orders: rows['orders'] as OrderRow[], rows };
}

function cause(what: string, id: string): Cause {
  return { what, messageId: id, causationId: null, attempt: 1, traceparent: null };
}

function isMessagesFault(error: unknown): error is Error {
  return error instanceof Contradiction || error instanceof UnknownSaga || error instanceof UnknownDefinition;
}
