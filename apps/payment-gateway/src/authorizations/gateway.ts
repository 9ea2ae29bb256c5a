import type { AuthorizeCard } from '@faultline/contracts';
import { Problem } from '@faultline/http-server';
import {
  authorize,
  type Authorization,
  change,
  type Decision,
  type Verb,
  viewOf,
  type Wrong,
} from './authorization.js';
import type { Book, Kept } from './book.js';
import { type Mood, moodOf } from './mood.js';

export interface GatewayOptions {
  readonly book: Book;
  /** The time as an ISO instant. */
  readonly now: () => string;
  readonly pause: (milliseconds: number) => Promise<void>;
}

/** What a merchant may ask for. A request is done once per key, and answered as often as it is asked. */
export class Gateway {
  readonly #busy = new Set<string>();
  readonly #attempts = new Map<string, number>();

  constructor(private readonly o: GatewayOptions) {}

  /** Throws a Problem for every answer but 200; never settles for a card that never answers. */
  authorize(request: AuthorizeCard, key: string): Promise<unknown> {
    return this.#once(
      key,
      { authorize: request },
      request.reference,
      request.cardToken,
      'authorize',
      (before) => authorize(before, request, this.o.now()),
    );
  }

  change(reference: string, verb: Verb, key: string): Promise<unknown> {
    const card = this.o.book.find(reference)?.cardToken ?? '';
    return this.#once(key, { [verb]: reference }, reference, card, verb, (before) =>
      change(before, verb, reference),
    );
  }

  async #once(
    key: string,
    request: unknown,
    reference: string,
    card: string,
    what: 'authorize' | Verb,
    decide: (before: Authorization | undefined) => Decision,
  ): Promise<unknown> {
    const attempt = (this.#attempts.get(reference) ?? 0) + 1;
    this.#attempts.set(reference, attempt);
    const mood = moodOf(card, what, attempt);
    if (mood.does === 'fail') throw new Problem({ status: 503, detail: 'The gateway cannot do this now.' });

    const { book } = this.o;
    const before = book.answered(key, request);
    if (before === 'conflict')
      throw new Problem({ status: 422, detail: 'This idempotency key belongs to another request.' });
    if (before) return answered(before, mood);
    if (this.#busy.has(key))
      throw new Problem({
        status: 409,
        type: 'https://faultline.dev/problems/in-progress',
        detail: 'The first request with this key is still worked on.',
        headers: { 'retry-after': '1' },
      });
    this.#busy.add(key);
    try {
      if (mood.does === 'work') await this.o.pause(mood.milliseconds);
      const known = book.find(reference);
      const decision = decide(known);
      const answer = answerOf(decision);
      // What is not known yet may be tomorrow: that answer binds no key.
      if (answer.status !== 404)
        book.keep(key, request, answer, 'wrong' in decision || decision === known ? undefined : decision);
      return await answered(answer, mood);
    } finally {
      this.#busy.delete(key);
    }
  }
}

function answerOf(decision: Decision): Kept {
  return 'wrong' in decision
    ? { status: statusOf(decision), body: decision }
    : { status: 200, body: viewOf(decision) };
}

function answered({ status, body }: Kept, mood: Mood): Promise<unknown> {
  if (mood.does === 'keep silent') return new Promise(() => undefined);
  if (status === 200) return Promise.resolve(body);
  const { wrong, detail } = body as Wrong;
  throw new Problem({
    status,
    type: `https://faultline.dev/problems/${wrong.toLowerCase().replaceAll('_', '-')}`,
    detail: `Refused: ${detail}.`,
  });
}

function statusOf({ wrong }: Wrong): number {
  return { UNKNOWN_REFERENCE: 404, REFERENCE_TAKEN: 422, WRONG_STATUS: 409 }[wrong];
}
