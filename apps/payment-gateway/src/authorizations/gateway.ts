import { once } from 'node:events';
import type { AuthorizeCard, CardAuthorization } from '@faultline/contracts';
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
import type { Book } from './book.js';
import { type Mood, moodOf } from './mood.js';

export interface GatewayOptions {
  readonly book: Book;
  /** The time as an ISO instant. */
  readonly now: () => string;
  /** Waits that long, or until the signal: the process stops. */
  readonly pause: (milliseconds: number, hurry: AbortSignal) => Promise<void>;
}

/** Done, and nobody is told. */
export const unanswered = Symbol('unanswered');
export type GatewayAnswer = CardAuthorization | typeof unanswered;

const problems = 'https://card-gateway.example/problems';

/**
 * What a merchant may ask for. A request is done once per key, and answered as often as it is asked. Only what was done
 * binds its key: a refusal had no effect, and may be wrong tomorrow. Throws a Problem for every answer but 200; resolves
 * with `unanswered` when a card that never answers is given up because the process stops (`hurry`).
 */
export class Gateway {
  readonly #busy = new Set<string>();
  /** References whose last attempt was made to fail. */
  readonly #failed = new Set<string>();

  constructor(private readonly o: GatewayOptions) {}

  async authorize(request: AuthorizeCard, key: string, hurry: AbortSignal): Promise<GatewayAnswer> {
    const { reference, cardToken } = request;
    const mood = this.#mood(cardToken, 'authorize', reference);
    const answer = await this.#once(key, { authorize: request }, reference, mood, hurry, (before) =>
      authorize(before, request, this.o.now()),
    );
    if (mood.does !== 'keep silent') return answer;
    if (!hurry.aborted) await once(hurry, 'abort');
    return unanswered;
  }

  async change(reference: string, verb: Verb, key: string, hurry: AbortSignal): Promise<GatewayAnswer> {
    const mood = this.#mood(this.o.book.find(reference)?.cardToken ?? '', verb, reference);
    return this.#once(key, { [verb]: reference }, reference, mood, hurry, (before) =>
      change(before, verb, reference),
    );
  }

  #mood(card: string, what: 'authorize' | Verb, reference: string): Mood {
    const mood = moodOf(card, what, this.#failed.delete(reference));
    if (mood.does === 'fail') this.#failed.add(reference);
    return mood;
  }

  async #once(
    key: string,
    request: unknown,
    reference: string,
    mood: Mood,
    hurry: AbortSignal,
    decide: (before: Authorization | undefined) => Decision,
  ): Promise<CardAuthorization> {
    if (mood.does === 'fail')
      throw new Problem({
        status: 503,
        type: `${problems}/unavailable`,
        detail: 'The gateway cannot do this now. Nothing was done.',
        headers: { 'retry-after': '1' },
      });
    const { book } = this.o;
    const before = book.answered(key, request);
    if (before === 'conflict')
      throw new Problem({
        status: 422,
        type: `${problems}/key-reused`,
        detail: 'This idempotency key belongs to another request.',
      });
    if (before) return before;
    if (this.#busy.has(key))
      throw new Problem({
        status: 409,
        type: `${problems}/in-progress`,
        detail: 'The first request with this key is still worked on.',
        headers: { 'retry-after': '1' },
      });
    this.#busy.add(key);
    try {
      if (mood.does === 'work') await this.o.pause(mood.milliseconds, hurry);
      // From here to the commit nothing else runs in this process, and no other process has the books.
      const known = book.find(reference);
      const decision = decide(known);
      if ('wrong' in decision) throw refusal(decision);
      const answer = viewOf(decision);
      book.keep(key, request, answer, decision === known ? undefined : decision);
      return answer;
    } finally {
      this.#busy.delete(key);
    }
  }
}

const statusOf = { UNKNOWN_REFERENCE: 404, REFERENCE_TAKEN: 422, WRONG_STATUS: 409 } as const;

function refusal({ wrong, detail }: Wrong): Problem {
  return new Problem({
    status: statusOf[wrong],
    type: `${problems}/${wrong.toLowerCase().replaceAll('_', '-')}`,
    detail: `Refused: ${detail}.`,
  });
}
