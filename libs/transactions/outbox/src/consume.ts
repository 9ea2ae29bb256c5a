import {
  type Database,
  DatabaseUnavailable,
  isSerializationConflict,
  OutcomeUnknown,
  sqlState,
  type Transaction,
} from '@faultline/database';
import type { ConsumerOptions, ReceivedRecord } from '@faultline/messaging';
import { traceIdOf } from '@faultline/telemetry';
import { type Batch, BatchRecord, namesIn, type Poison, type Poisoned, seenPart } from './batch.js';
import type { Decoded } from './decode.js';
import { inboxIdOf } from './inbox.js';
import type { Log } from './log.js';
import { Delivery } from './process-span.js';

export interface StepConsumerOptions<M> {
  readonly database: Database;
  /** Names the inbox: two consumers of one database each take every message once. */
  readonly consumer: string;
  decode(record: ReceivedRecord): Decoded<M>;
  /** Lock, load, decide each, save. What it answers runs after the commit. */
  step(tx: Transaction, batch: Batch<M>): Promise<void | (() => void)>;
  readonly log?: Log;
}

type Verdict =
  /** Repeating the transaction helps. */
  | 'again'
  /** One of its messages is to blame. */
  | 'guilty'
  /** Nothing is known to be wrong with the messages: the consumer repeats the batch. */
  | 'away';

const triesTogether = 5;
const triesAlone = 3;

/**
 * One fetch = one batch = one transaction. A batch that fails by its data (SQLSTATE class 22 or 23, or an error of the
 * step itself) is repeated message by message, and the guilty one is dead-lettered in a transaction of its own, without
 * its neighbours. Throws when the database is away or the outcome unknown: then nothing may be resolved, and the inbox
 * makes the repetition harmless.
 */
export function consumeInSteps<M>(options: StepConsumerOptions<M>): ConsumerOptions['handle'] {
  return async (records, control) => {
    if (records.length === 0) return;
    const all = records.map((record) => batchOf(options, record));
    try {
      await handle(options, all, control);
    } catch (error) {
      for (const delivery of all.flatMap(deliveriesOf)) delivery.abandoned(error);
      throw error;
    }
  };
}

async function handle<M>(
  options: StepConsumerOptions<M>,
  all: readonly Batch<M>[],
  control: Parameters<ConsumerOptions['handle']>[1],
): Promise<void> {
  const { consumer, log } = options;
  const together: Batch<M> = {
    consumer,
    incoming: all.flatMap((one) => one.incoming),
    poison: all.flatMap((one) => one.poison),
  };
  try {
    await runStep(options, together, 1);
    return;
  } catch (error) {
    if (judge(error) !== 'guilty') throw error;
    log?.warn({ err: error, consumer, messages: all.length }, 'batch failed by its data: message by message');
  }
  for (const one of all) {
    await control.heartbeat();
    if (!control.isCurrent())
      throw new Error('the partitions were assigned anew: others go on with this batch');
    await alone(options, one);
  }
}

function batchOf<M>(options: StepConsumerOptions<M>, record: ReceivedRecord): Batch<M> {
  const { consumer } = options;
  const delivered = { record, delivery: new Delivery(record, consumer) };
  const decoded = options.decode(record);
  return 'message' in decoded
    ? { consumer, incoming: [{ ...decoded, ...delivered }], poison: [] }
    : { consumer, incoming: [], poison: [{ ...decoded, ...delivered }] };
}

function deliveriesOf(batch: Batch<unknown>): Delivery[] {
  return [...batch.incoming, ...batch.poison].flatMap(({ delivery }) => delivery ?? []);
}

async function alone<M>(options: StepConsumerOptions<M>, batch: Batch<M>): Promise<void> {
  try {
    await runStep(options, batch, triesAlone);
  } catch (error) {
    if (judge(error) !== 'guilty') throw error;
    for (const delivered of [...batch.incoming, ...batch.poison]) await bury(options, delivered, error);
  }
}

/** Through the same step, so that whoever waits for the message learns of its end. */
async function bury<M>(
  options: StepConsumerOptions<M>,
  { record, delivery }: Pick<Poison, 'record' | 'delivery'>,
  cause: unknown,
): Promise<void> {
  const { consumer, database, log } = options;
  const { inboxId } = inboxIdOf(record);
  const poison: Poison = {
    inboxId,
    record,
    ...(delivery ? { delivery } : {}),
    ...namesIn(record),
    ...reasonOf(cause),
  };
  log?.error({ err: cause, consumer, message_id: inboxId, order_id: poison.orderId }, 'message failed alone');
  const batch: Batch<M> = { consumer, incoming: [], poison: [poison] };
  try {
    await runStep(options, batch, triesAlone);
  } catch (error) {
    if (judge(error) !== 'guilty') throw error;
    // Even the step about the dead letter fails: keep the message, or it stops its partition for ever.
    log?.error(
      { err: error, consumer, message_id: inboxId },
      'the step refused a dead letter: kept without it',
    );
    await database.transaction(async (tx) => {
      const { seen = [] } = await tx.read([seenPart(batch)]);
      await tx.write(new BatchRecord(batch, seen).parts([], { source: '', partitionsOf: () => 1, now: 0 }));
    });
    delivery?.committed(1);
  }
}

/**
 * `triesGuilty`: how often the step may fail by its data before it counts. 23505 may only mean that the same message was
 * handled elsewhere at this moment, and the repetition finds it seen; any other SQLSTATE of class 22 or 23 stays.
 */
async function runStep<M>(
  options: StepConsumerOptions<M>,
  batch: Batch<M>,
  triesGuilty: number,
): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      const buried: Poisoned[] = [];
      const heard = { ...batch, buried: (poisoned: Poisoned) => void buried.push(poisoned) };
      const committed = await options.database.transaction((tx) => options.step(tx, heard));
      for (const poisoned of buried) logDeadLetter(options, poisoned);
      const deliveries = deliveriesOf(batch);
      for (const delivery of deliveries) delivery.committed(deliveries.length);
      tell(options, committed);
      return;
    } catch (error) {
      for (const delivery of deliveriesOf(batch)) delivery.rolledBack(error, tried);
      const verdict = judge(error);
      const state = sqlState(error);
      const mayPass =
        verdict === 'again' || (verdict === 'guilty' && (state === undefined || state === '23505'));
      const tries = verdict === 'again' ? triesTogether : triesGuilty;
      if (!mayPass || tried >= tries) throw error;
      // Two that met once would meet again if both came back at once.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * tried));
    }
  }
}

/** Never silence: what was dead-lettered is said once it is so, with what leads to its order and its trace. */
function logDeadLetter<M>({ log, consumer }: StepConsumerOptions<M>, poisoned: Poisoned): void {
  const { inboxId, record, orderId, type, reason, detail, deadLetterId } = poisoned;
  log?.error(
    {
      consumer,
      dead_letter_id: deadLetterId,
      message_id: inboxId,
      order_id: orderId,
      trace_id: traceIdOf(record.headers['traceparent']?.toString()),
      type,
      reason,
      detail,
      position: `${record.topic}/${record.partition}/${record.offset}`,
    },
    'message dead-lettered',
  );
}

function tell<M>(options: StepConsumerOptions<M>, committed: void | (() => void)): void {
  try {
    committed?.();
  } catch (error) {
    // The effect is durable: a failing listener must not have it repeated.
    options.log?.error({ err: error, consumer: options.consumer }, 'failed after the commit');
  }
}

function judge(error: unknown): Verdict {
  if (error instanceof DatabaseUnavailable || error instanceof OutcomeUnknown) return 'away';
  if (
    isSerializationConflict(error) ||
    (error instanceof Error && 'retriable' in error && error.retriable === true)
  ) {
    return 'again';
  }
  const state = sqlState(error);
  return state === undefined || /^2[23]/.test(state) ? 'guilty' : 'away';
}

function reasonOf(cause: unknown): { reason: string; detail: string } {
  const state = sqlState(cause);
  const reason = state !== undefined ? `SQLSTATE_${state}` : cause instanceof Error ? cause.name : 'FAILED';
  return { reason, detail: cause instanceof Error ? cause.message : String(cause) };
}
