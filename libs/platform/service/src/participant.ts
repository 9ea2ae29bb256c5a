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

/** What a command is answered. */
export type Answer = { readonly done: true } | { readonly refused: RefusalReason; readonly detail: string };
/** How a participant's decision on a command ended; `later` says what its answer waits for. */
export type Verdict = Answer | { readonly later: string };

export interface Command extends Envelope {
  readonly kind: { readonly type: string; readonly topic: string };
  readonly body: { readonly orderId: string; readonly attempt: number };
}

export interface Answered<V extends Verdict> {
  readonly verdict: V;
  /** Null when the answer comes later. */
  readonly reply: V extends { readonly later: string } ? null : OutgoingMessage;
  readonly entry: JournalRow;
}

/**
 * Decides one command inside its CONSUMER span and answers it: exactly one reply, which carries this span on, or none
 * when its answer comes later (lateAnswer), and one journal row, to be saved with the decision's effect. `now` is the
 * database's clock in milliseconds.
 */
export async function answer<M extends Command, V extends Verdict>(
  incoming: Incoming<M>,
  now: number,
  decide: (command: M, traceparent: string | null) => V,
): Promise<Answered<V>> {
  const { message } = incoming;
  const orderId = message.body.orderId.toLowerCase();
  const name = commandOf(message.kind.type);
  if (!name) throw new Error(`${message.kind.type} is no command`);
  return whileProcessing(
    incoming,
    (traceparent) => {
      const verdict = decide(message, traceparent);
      const attempt = message.body.attempt;
      const outcome = outcomeOf(verdict);
      // A refusal is an answer like another: it is said, and no error.
      noteInSpan('decided', { 'faultline.outcome': outcome });
      describeSpan({ 'faultline.attempt': attempt, 'faultline.outcome': outcome });
      return {
        verdict,
        reply: ('later' in verdict
          ? null
          : replyTo(
              { orderId, command: name, attempt, messageId: message.id, traceparent },
              verdict,
            )) as Answered<V>['reply'],
        entry: {
          orderId,
          at: now,
          what: name,
          messageId: message.id,
          causationId: message.causationId,
          attempt,
          outcome,
          ...detailOf(verdict),
        },
      };
    },
    { 'faultline.command': name },
  );
}

/** A command whose answer had to wait: what has to be known of it to answer it. */
export interface Unanswered {
  readonly orderId: string;
  readonly command: CommandName;
  readonly attempt: number;
  readonly messageId: string;
  /** Of the span that the reply carries on. */
  readonly traceparent: string | null;
}

/** The reply and the journal row for a command whose answer had to wait, to be saved with the effect. */
export function lateAnswer(
  to: Unanswered,
  answer: Answer,
  now: number,
): { readonly reply: OutgoingMessage; readonly entry: JournalRow } {
  return {
    reply: replyTo(to, answer),
    entry: {
      orderId: to.orderId,
      at: now,
      what: to.command,
      messageId: null,
      causationId: to.messageId,
      attempt: to.attempt,
      outcome: outcomeOf(answer),
      ...detailOf(answer),
    },
  };
}

function replyTo(
  { orderId, command, attempt, messageId, traceparent }: Unanswered,
  answer: Answer,
): OutgoingMessage {
  const body = { orderId, command, attempt };
  return {
    kind: 'refused' in answer ? commandRefused : commandDone,
    body: 'refused' in answer ? { ...body, reason: answer.refused, detail: answer.detail } : body,
    orderId,
    id: uuidv7(),
    correlationId: orderId,
    causationId: messageId,
    deadline: null,
    traceparent,
  };
}

function outcomeOf(verdict: Verdict): string {
  if ('later' in verdict) return 'WAITING';
  return 'refused' in verdict ? verdict.refused : 'DONE';
}

function detailOf(verdict: Verdict): { readonly detail?: unknown } {
  if ('later' in verdict) return { detail: { for: verdict.later } };
  return 'refused' in verdict ? { detail: { reason: verdict.refused, detail: verdict.detail } } : {};
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
