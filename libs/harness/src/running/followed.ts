import type { OrderView } from '@faultline/contracts';
import type { Client } from '../client.js';
import { type Spread, spreadOf } from '../crash-test/figures.js';
import type { Load } from '../load.js';

/** Where a load stands. */
export interface Standing {
  readonly placed: number;
  readonly approved: number;
  readonly rejected: number;
  /** Accepted and not decided. */
  readonly open: number;
  /** Keys that were asked for and have no definite answer yet. */
  readonly unanswered: number;
  /** From the planned moment to the decision, in milliseconds: of what was decided in the last ten seconds. */
  readonly lately: Spread;
}

export interface Outcome {
  readonly at: number;
  readonly milliseconds: number;
  readonly method: string;
  readonly status: string;
  readonly reason: string | null;
}

const window = 10_000;

/**
 * Follows the orders of a load to their decisions. The services' own instants are used for those, so that how often
 * somebody asks does not change what is measured.
 */
export class Followed {
  readonly #open = new Map<string, { readonly plannedAt: number; readonly method: string }>();
  readonly #known = new Set<string>();
  readonly outcomes: Outcome[] = [];

  constructor(
    private readonly client: Client,
    private readonly load: Load,
  ) {}

  /** Asks once after everything that is open. */
  async look(): Promise<void> {
    for (const { plannedAt, placement } of this.load.arrivals) {
      const order = placement?.order;
      if (!order || this.#known.has(order.orderId)) continue;
      this.#known.add(order.orderId);
      this.#open.set(order.orderId, { plannedAt, method: order.payment.method });
    }
    const first = [...this.#open.keys()].slice(0, 200);
    for (let n = 0; n < first.length; n += 20)
      await Promise.all(first.slice(n, n + 20).map((orderId) => this.#ask(orderId)));
  }

  async #ask(orderId: string): Promise<void> {
    const order = await this.client.get(orderId).catch(() => undefined);
    const asked = this.#open.get(orderId);
    if (!order || !asked || order.decidedAt === null) return;
    this.#open.delete(orderId);
    this.outcomes.push(outcomeOf(order, order.decidedAt, asked));
  }

  standing(now = Date.now()): Standing {
    const of = (status: string): number => this.outcomes.filter((each) => each.status === status).length;
    const { arrivals } = this.load;
    return {
      placed: arrivals.length,
      approved: of('APPROVED'),
      rejected: of('REJECTED'),
      open: this.#open.size,
      unanswered: arrivals.filter(({ placement }) => placement === undefined).length,
      lately: this.spread((outcome) => outcome.at > now - window),
    };
  }

  /** How long those took that the filter takes. */
  spread(takes: (outcome: Outcome) => boolean): Spread {
    return spreadOf(this.outcomes.filter(takes).map(({ milliseconds }) => milliseconds));
  }
}

function outcomeOf(
  order: OrderView,
  decidedAt: string,
  { plannedAt, method }: { readonly plannedAt: number; readonly method: string },
): Outcome {
  const at = Date.parse(decidedAt);
  return {
    at,
    milliseconds: Math.max(0, at - plannedAt),
    method,
    status: order.status,
    reason: order.rejection?.reason ?? null,
  };
}
