import { databaseClock, type Database, type Transaction } from '@faultline/database';
import { type Claimed, DueWorker, finishPart, heldPart, postpone, schedulePart } from '@faultline/due-work';
import { type JournalRow, journalPart } from '@faultline/journal';
import { outboxPart } from '@faultline/outbox';
import { PipelineRefused } from '@faultline/resilience';
import { lateAnswer } from '@faultline/service';
import { describeSpan, type Log, SpanKind, withSpan } from '@faultline/telemetry';
import {
  askedFor,
  callOwed,
  type Call,
  type Card,
  type CardSettled,
  expire,
  notAskedAfterAll,
  type Owing,
  settle,
  type Waiting,
} from './card.js';
import type { CardGateway } from './card-gateway.js';
import { cardsOf, cardsPart, noteTrouble, saveCards, troublesOf } from './card.store.js';

/** The kind of due work: one row for each order for which a call to the gateway is owed. */
export const cardCalls = 'card-call';

export interface CardCallsOptions {
  readonly database: Database;
  readonly gateway: CardGateway;
  readonly owner: string;
  readonly log: Log;
  /** CloudEvents source of the replies. */
  readonly source: string;
  partitionsOf(topic: string): number;
  /** Runs after a commit that wrote to the outbox. */
  onCommit?(): void;
  /** Calls at a time. */
  readonly limit?: number;
  /** Lets a few transactions through at a time, so that calls do not starve the commands of connections. */
  readonly inTurn?: <T>(work: () => Promise<T>) => Promise<T>;
  /** Milliseconds: longer than any call takes, so that nobody takes one over that is still under way. */
  readonly leaseMs?: number;
  /** Milliseconds between two attempts at most. */
  readonly longestPause?: number;
  readonly random?: () => number;
}

/** How long a stop waits for answers that may be about to come, in milliseconds. */
const patience = 500;

/** This process stops: what it asked is found out by whoever takes the work over. */
class Stopping extends Error {
  override readonly name = 'Stopping';
}

/** A call that is to be made. */
interface Owed {
  readonly card: Owing;
  readonly call: Call;
}

/** A card whose row is locked, and what is known of it. */
interface Loaded {
  readonly card: Card;
  readonly trouble: string | undefined;
  readonly now: number;
}

/**
 * Makes the calls that are owed to the card gateway: outside of any transaction, and each in three parts. What is asked
 * is durable before it is asked; then the call; and what was answered commits together with the replies and the end of
 * the due work, if that is still ours: a command that wants another call takes it away. Whoever has it then finds out.
 */
export class CardCalls {
  readonly #worker: DueWorker;
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #limit: number;

  constructor(private readonly o: CardCallsOptions) {
    this.#limit = o.limit ?? 16;
    const { database, owner, log, leaseMs = 10_000 } = o;
    this.#worker = new DueWorker({
      database,
      kind: cardCalls,
      owner,
      log,
      leaseMs,
      batch: this.#limit,
      run: (claimed) => this.#begin(claimed),
    });
  }

  start(): void {
    this.#worker.start();
  }

  /** Looks at once what is owed. */
  wake(): void {
    this.#worker.wake();
  }

  /** Resolves when the calls under way have ended; those that take their time are cut off, and left to the next process. */
  async stop(): Promise<void> {
    const cut = setTimeout(() => this.#stopping.abort(new Stopping('payment stops')), patience);
    await this.#worker.stop();
    await Promise.all(this.#underWay);
    clearTimeout(cut);
  }

  // A slow call keeps its own slot, and not those that were claimed with it: the worker only waits for a free one.
  async #begin(claimed: readonly Claimed[]): Promise<void> {
    for (const work of claimed) {
      const call = this.#make(work).finally(() => this.#underWay.delete(call));
      this.#underWay.add(call);
    }
    while (this.#underWay.size >= this.#limit) await Promise.race(this.#underWay);
  }

  async #make(work: Claimed): Promise<void> {
    let owed: Owed | null = null;
    try {
      owed = await this.#prepare(work);
      if (!owed) return;
      const { card, call } = owed;
      await this.#traced(work.key, card, call, async () => {
        const answer = await this.o.gateway({
          orderId: work.key,
          call,
          claim: card.claim,
          attempt: work.attempt,
          signal: this.#stopping.signal,
        });
        await this.#save(work, (current, now) => settle(current, answer, now));
      });
    } catch (error) {
      await this.#postponed(work, owed, error).catch((failure: unknown) => {
        // Its lease ends by itself, and then somebody makes the call.
        this.o.log.warn(
          { err: failure, orderId: work.key },
          'a call to the card gateway could not be postponed',
        );
      });
    }
  }

  /** The call that is owed, after the deadline had its say, with the mark that the gateway is asked. Null when none is. */
  async #prepare(work: Claimed): Promise<Owed | null> {
    const saved = await this.#save(work, (card, now) => {
      const nothingIsOwed = callOwed(card) === null;
      return (
        expire(card, now) ?? (nothingIsOwed || isUnasked(card) ? { card: askedFor(card), answers: [] } : null)
      );
    });
    if (!saved || saved.after.status !== saved.before.status) return null;
    // What it was before the mark: of a first call nothing has to be found out.
    const call = callOwed(saved.before);
    return call && 'waiting' in saved.after ? { card: saved.after, call } : null;
  }

  /**
   * One transaction: locks the card, loads it, lets `decide` say what becomes of it, and saves that with its replies and
   * what becomes of the work. Null when this process does not hold the work any more.
   */
  async #save(
    work: Claimed,
    decide: (card: Card, now: number) => CardSettled | null,
  ): Promise<{ readonly before: Card; readonly after: Card } | null> {
    const { source, partitionsOf } = this.o;
    const orderId = work.key;
    const saved = await this.#transaction(async (tx) => {
      const loaded = await lockAndLoad(tx, work);
      if (!loaded) return null;
      const { card: before, now } = loaded;
      const settled = decide(before, now);
      if (!settled) return { before, after: before, replies: 0, again: false };
      const after = settled.card;
      const late = settled.answers.map(({ to, answer }) => lateAnswer({ orderId, ...to }, answer, now));
      const again = callOwed(after) !== null && after.status !== before.status;
      await tx.write([
        ...saveCards(new Map([[orderId, before]]), new Map([[orderId, after]]), now),
        journalPart(late.map(({ entry }) => entry)),
        outboxPart(
          late.map(({ reply }) => reply),
          { source, partitionsOf: (topic) => partitionsOf(topic), now },
        ),
        finishPart(callOwed(after) === null ? [{ kind: cardCalls, key: orderId }] : []),
        schedulePart(again ? [{ kind: cardCalls, key: orderId, dueAt: now }] : []),
      ]);
      return { before, after, replies: late.length, again };
    });
    if (saved?.again) this.wake();
    if (saved && saved.replies > 0) this.o.onCommit?.();
    return saved;
  }

  /**
   * No certain answer: the call is made again, later. The order's timeline says why: each time that the gateway was asked,
   * and once for each reason for which it was not, or a long outage would fill it with what nobody did.
   */
  async #postponed(work: Claimed, owed: Owed | null, error: unknown): Promise<void> {
    const { log } = this.o;
    if (this.#stopping.signal.aborted) return this.#postpone(work, 0);
    const why = reasonOf(error);
    const wasAsked = owed !== null && mayHaveBeenAsked(error);
    await this.#transaction(async (tx) => {
      const loaded = await lockAndLoad(tx, work);
      if (!loaded) return;
      const { card: before, now, trouble } = loaded;
      const card = owed?.call === 'authorize' && !wasAsked ? notAskedAfterAll(before) : before;
      const entry: JournalRow = {
        orderId: work.key,
        at: now,
        what: `card ${owed?.call ?? 'call'}`,
        messageId: null,
        causationId: owed ? (lastOf(owed.card)?.messageId ?? null) : null,
        attempt: work.attempt,
        outcome: 'POSTPONED',
        detail: why,
      };
      await tx.write([
        noteTrouble(work.key, card, why.reason),
        journalPart(wasAsked || trouble !== why.reason ? [entry] : []),
      ]);
    });
    log.info({ orderId: work.key, attempt: work.attempt, ...why }, 'a call to the card gateway is postponed');
    await this.#postpone(work, this.#pause(work.attempt, error));
  }

  #postpone(work: Claimed, milliseconds: number): Promise<void> {
    return this.#inTurn(() => postpone(this.o.database, [work], milliseconds));
  }

  #transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.o.database.transaction(work));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.o.inTurn ? this.o.inTurn(work) : work();
  }

  // Full jitter, and never before a breaker lets somebody through: those that were refused must not come all at once.
  #pause(attempt: number, error: unknown): number {
    const { longestPause = 2000, random = Math.random } = this.o;
    const least = error instanceof PipelineRefused ? (error.retryAfterMs ?? 0) : 0;
    const most = Math.min(longestPause, 200 * 2 ** Math.min(attempt, 10));
    return Math.ceil(least + 50 + random() * most);
  }

  #traced(orderId: string, card: Owing, call: Call, work: () => Promise<void>): Promise<void> {
    return withSpan(
      `card ${call}`,
      {
        kind: SpanKind.INTERNAL,
        attributes: { 'faultline.order_id': orderId, 'messaging.message.conversation_id': orderId },
        parent: lastOf(card)?.traceparent ?? null,
      },
      async () => {
        await work();
        describeSpan({ 'faultline.outcome': 'DONE' });
      },
    );
  }
}

/** Whose call it is: of an authorize and its void, the void's. */
const lastOf = ({ waiting }: Owing): Waiting | undefined => waiting.at(-1);

/** What the pipeline refused was not sent, unless it was the time that ran out. */
function mayHaveBeenAsked(error: unknown): boolean {
  return !(error instanceof PipelineRefused) || error.reason === 'DEADLINE_EXCEEDED';
}

const isUnasked = (card: Card): boolean => card.status === 'REQUESTED' && !card.asked;

/** Null when somebody else has the work by now, or it is done. The card first, as every step of payment locks it. */
async function lockAndLoad(tx: Transaction, work: Claimed): Promise<Loaded | null> {
  await tx.query({
    name: 'card-lock',
    text: `SELECT order_id FROM card_payment WHERE order_id = $1 FOR UPDATE`,
    values: [work.key],
  });
  const rows = await tx.read([cardsPart([work.key]), heldPart([work]), databaseClock]);
  const card = cardsOf(rows['cards']).get(work.key);
  const [clock] = rows['clock'] as { now: number }[];
  if (!clock) throw new Error('the load did not answer the time');
  if (!card || (rows['due-held'] ?? []).length === 0) return null;
  return { card, trouble: troublesOf(rows['cards']).get(work.key), now: clock.now };
}

function reasonOf(error: unknown): { readonly reason: string; readonly detail: string } {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof PipelineRefused) return { reason: error.reason, detail };
  return { reason: error instanceof Error ? error.name : 'unknown', detail };
}
