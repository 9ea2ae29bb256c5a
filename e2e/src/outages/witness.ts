import { type Answer, Client, forAWhile, type LoadOptions, startLoad } from '@faultline/harness';
import { z } from 'zod';

/**
 * What an answer is worth: durable (2xx); refused, and the key is free (429 or 503 with Retry-After); unknown, and the
 * same key tells (500, of a type ending in outcome-unknown); missing, when the connection broke or nobody answered;
 * dishonest, everything else: nobody could act upon it.
 */
export type Worth = 'accepted' | 'refused' | 'unknown' | 'missing' | 'dishonest';

/** What clients were told while something was broken. */
export class Told {
  readonly #answers: { readonly worth: Worth; readonly text: string }[] = [];

  add(worth: Worth, text: string): void {
    this.#answers.push({ worth, text });
  }

  count(worth: Worth): number {
    return this.#answers.filter((answer) => answer.worth === worth).length;
  }

  /** The answers that are worth something else. */
  except(...expected: readonly Worth[]): string[] {
    return this.#answers
      .filter(({ worth }) => !expected.includes(worth))
      .map(({ worth, text }) => `${worth}: ${text}`);
  }
}

/** A client that judges every answer to an order, also those that are repeated later. */
export class Witness extends Client {
  #told = new Told();

  override async ask(...request: Parameters<Client['ask']>): Promise<Answer> {
    try {
      const answer = await super.ask(...request);
      this.#told.add(worthOf(answer), `${answer.status} ${answer.text}`);
      return answer;
    } catch (error) {
      this.#told.add('missing', error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** What was told while the load ran and the work was done, until every key of it had its definite answer. */
  async during(load: LoadOptions, work: () => Promise<unknown>): Promise<Told> {
    this.#told = new Told();
    const running = startLoad(this, load);
    await forAWhile(700);
    await work();
    await forAWhile(300);
    await running.stop();
    return this.#told;
  }

  /** Orders that were accepted and ended otherwise than those of a customer with money should. */
  unexpected(): string[] {
    return this.accepted
      .filter(({ body, order }) => (body.customerId === 'customer-poor') === (order.status === 'APPROVED'))
      .map(({ order }) => `${order.orderId} ${order.status} ${order.rejection?.reason ?? ''}`);
  }
}

function worthOf({ status, headers, json }: Answer): Worth {
  if (status === 200 || status === 202) return 'accepted';
  // 409: a twin of the key is being accepted at this moment.
  const asksToTryAgain = Number(headers['retry-after']) > 0;
  if ((status === 503 || status === 429 || status === 409) && asksToTryAgain) return 'refused';
  return status === 500 && isOutcomeUnknown(json()) ? 'unknown' : 'dishonest';
}

function isOutcomeUnknown(body: unknown): boolean {
  const problem = z.object({ type: z.string() }).safeParse(body);
  return problem.success && problem.data.type.endsWith('/outcome-unknown');
}
