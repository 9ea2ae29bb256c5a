import {
  commandDeadLettered,
  commandDone,
  CommandName,
  commandRefused,
  type RefusalReason,
} from '@faultline/contracts';
import type { JournalRow } from '@faultline/journal';
import type { Envelope } from '@faultline/messaging';
import { type Incoming, type OutgoingMessage, type Poisoned, whileProcessing } from '@faultline/outbox';
import { describeSpan, noteInSpan } from '@faultline/telemetry';
import { v7 as uuidv7 } from 'uuid';

/** How a participant's decision on a command ended. */
export type Verdict = { readonly done: true } | { readonly refused: RefusalReason; readonly detail: string };

export interface Command extends Envelope {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: { readonly orderId: string; readonly attempt: number };
}

export interface Answered {
  readonly verdict: Verdict;
  readonly reply: OutgoingMessage;
  readonly entry: JournalRow;
}

/**
 * Decides one command inside its CONSUMER span and answers it: exactly one reply, which carries this span on, and one
 * journal row, both to be saved with the decision's effect. `now` is the database's clock in milliseconds.
 */
export async function answer<M extends Command>(
  incoming: Incoming<M>,
  now: number,
  decide: (command: M) => Verdict,
): Promise<Answered> {
  const { message } = incoming;
  const orderId = message.body.orderId.toLowerCase();
  const name = commandOf(message.kind.type);
  if (!name) throw new Error(`${message.kind.type} is no command`);
  return whileProcessing(
    incoming,
    (traceparent) => {
      const verdict = decide(message);
      const attempt = message.body.attempt;
      const refusal = 'refused' in verdict ? { reason: verdict.refused, detail: verdict.detail } : undefined;
      // A refusal is an answer like another: it is said, and no error.
      noteInSpan('decided', { 'faultline.outcome': refusal?.reason ?? 'DONE' });
      describeSpan({ 'faultline.attempt': attempt, 'faultline.outcome': refusal?.reason ?? 'DONE' });
      const body = { orderId, command: name, attempt };
      return {
        verdict,
        reply: {
          kind: refusal ? commandRefused : commandDone,
          body: refusal ? { ...body, ...refusal } : body,
          orderId,
          id: uuidv7(),
          correlationId: orderId,
          causationId: message.id,
          deadline: null,
          traceparent,
        },
        entry: {
          orderId,
          at: now,
          what: name,
          messageId: message.id,
          causationId: message.causationId,
          attempt,
          outcome: refusal?.reason ?? 'DONE',
          ...(refusal ? { detail: refusal } : {}),
        },
      };
    },
    { 'faultline.command': name },
  );
}

/**
 * Tells the orchestrator of each poison message that is readably a command for an order, so that its saga can be
 * suspended instead of waiting for ever. What cannot be read is only a dead letter.
 */
export function deadLetterAnswers(
  poisoned: readonly Poisoned[],
  now: number,
): { readonly replies: OutgoingMessage[]; readonly entries: JournalRow[] } {
  const replies: OutgoingMessage[] = [];
  const entries: JournalRow[] = [];
  for (const poison of poisoned) {
    const command = poison.type === null ? undefined : commandOf(poison.type);
    const orderId = poison.orderId?.toLowerCase();
    if (!command || orderId === undefined || !uuid.test(orderId)) continue;
    const detail = `${poison.reason}: ${poison.detail}`.slice(0, 1000).replaceAll('\u0000', '\uFFFD');
    const attempt = attemptOf(poison.record.value);
    const messageId = textOf(poison.record.headers['ce_id']);
    replies.push({
      kind: commandDeadLettered,
      body: { orderId, command, attempt, deadLetterId: poison.deadLetterId, detail },
      orderId,
      id: uuidv7(),
      correlationId: orderId,
      causationId: messageId,
      deadline: null,
      traceparent: poison.delivery?.traceparent ?? textOf(poison.record.headers['traceparent']),
    });
    entries.push({
      orderId,
      at: now,
      what: command,
      messageId,
      causationId: textOf(poison.record.headers['ce_causationid']),
      attempt,
      outcome: 'DEAD_LETTERED',
      detail: { deadLetterId: poison.deadLetterId, detail },
    });
  }
  return { replies, entries };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function commandOf(type: string): CommandName | undefined {
  const name = /^faultline\.(?:inventory|payment)\.([a-z-]+)\.v\d+$/.exec(type)?.[1];
  return CommandName.safeParse(name).data;
}

// Bytes that are no UTF-8, or that Postgres refuses, must not come back through the answer about them.
function textOf(header: Buffer | undefined): string | null {
  const text = header?.toString('utf8');
  return text === undefined || !/^[\x20-\x7e]{1,200}$/.test(text) ? null : text;
}

function attemptOf(value: Buffer | null): number {
  try {
    const body: unknown = JSON.parse(value?.toString('utf8') ?? '');
    if (typeof body !== 'object' || body === null || !('attempt' in body)) return 1;
    return typeof body.attempt === 'number' &&
      Number.isSafeInteger(body.attempt) &&
      body.attempt > 0 &&
      body.attempt < 2 ** 31
      ? body.attempt
      : 1;
  } catch {
    return 1;
  }
}
