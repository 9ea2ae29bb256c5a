import { randomUUID } from 'node:crypto';
import { OrderView } from '@faultline/contracts';
import { eventually } from '@faultline/testing';
import { z } from 'zod';
import { send, type Answer } from './http.js';
import { randomFrom } from './random.js';
import type { ServiceName } from './system.js';

export interface OrderBody {
  readonly customerId: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly payment?: unknown;
  readonly protocol?: string;
}

/** What the client knows of one key. */
export interface Placement {
  readonly key: string;
  readonly body: OrderBody;
  /** Every answer, or the error instead of one, in order. */
  readonly answers: string[];
  /** What the answers so far amount to: the order, or a refusal that had no effect. Undefined when nobody knows. */
  outcome?: { readonly accepted: string } | { readonly refused: number };
  /** The order as last seen. */
  order?: OrderView;
}

const Page = z.object({ items: z.array(OrderView), nextCursor: z.string().nullable() });
const ended = new Set(['SETTLED', 'UNDONE', 'SUSPENDED']);
const settlements = ['NONE', 'SETTLING', 'SUSPENDED', 'SETTLED', 'UNDONE'];

/**
 * A client as `api.md` wants one: it remembers every key it used, and repeats it until the answer is definite. What it
 * was told is the other side of the audit; whatever the service says later must agree with it.
 */
export class Client {
  readonly placements = new Map<string, Placement>();
  /** Cents per customer, pieces per SKU, that were added with a definite answer. */
  readonly deposited = new Map<string, number>();
  readonly delivered = new Map<string, number>();
  /** Whatever the service said that contradicts what it had said before. */
  readonly contradictions: string[] = [];

  #asked = 0;

  /**
   * `replicas`: every address of a service. Each attempt goes to the next one, as behind a load balancer. `random`:
   * numbers in [0, 1) for the pauses between attempts.
   */
  constructor(
    private readonly urls: Readonly<Record<ServiceName, string>>,
    private readonly replicas: (service: ServiceName) => readonly string[] = (service) => [urls[service]],
    private readonly random: () => number = randomFrom(1),
  ) {}

  get accepted(): (Placement & { readonly order: OrderView })[] {
    return [...this.placements.values()].filter(
      (placement): placement is Placement & { order: OrderView } => placement.order !== undefined,
    );
  }

  /** One request, one attempt, remembered. Rejects when no answer comes. */
  async ask(
    body: OrderBody,
    {
      key = randomUUID(),
      prefer,
      headers = {},
      within,
      keepAlive,
    }: {
      readonly key?: string;
      readonly prefer?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly within?: number;
      readonly keepAlive?: boolean;
    } = {},
  ): Promise<Answer> {
    const placement = this.placements.get(key) ?? { key, body, answers: [] };
    this.placements.set(key, placement);
    try {
      const answer = await send(`${this.#any('order')}/orders`, {
        method: 'POST',
        body,
        headers: { 'idempotency-key': key, ...(prefer ? { prefer } : {}), ...headers },
        ...(within === undefined ? {} : { within }),
        ...(keepAlive === undefined ? {} : { keepAlive }),
      });
      placement.answers.push(String(answer.status));
      this.#remember(placement, answer);
      return answer;
    } catch (error) {
      placement.answers.push(error instanceof Error ? error.message : String(error));
      forget(placement);
      throw error;
    }
  }

  /** Repeats until the answer is definite, at most `within` milliseconds; then the placement has no outcome. */
  async place(
    body: OrderBody,
    {
      key = randomUUID(),
      prefer,
      within = 60_000,
    }: { readonly key?: string; readonly prefer?: string; readonly within?: number } = {},
  ): Promise<Placement> {
    await this.#untilDefinite(within, () =>
      this.ask(body, { key, within: 35_000, ...(prefer ? { prefer } : {}) }),
    );
    const placement = this.placements.get(key);
    if (!placement) throw new Error(`key ${key} is not remembered`);
    return placement;
  }

  /** Repeats every key that has no definite answer until it has one. */
  async resolve(): Promise<void> {
    for (const { key, body, outcome } of this.placements.values())
      if (outcome === undefined) await this.place(body, { key });
  }

  /** Adds money, once, however often it has to ask. */
  async deposit(customerId: string, amount: number): Promise<void> {
    await this.#add('payment', `/wallets/${customerId}/deposits`, { amount });
    this.deposited.set(customerId, (this.deposited.get(customerId) ?? 0) + amount);
  }

  /** Fills a shelf, once, however often it has to ask. */
  async deliver(sku: string, quantity: number): Promise<void> {
    await this.#add('inventory', `/stock/${sku}/deliveries`, { quantity });
    this.delivered.set(sku, (this.delivered.get(sku) ?? 0) + quantity);
  }

  async get(orderId: string): Promise<OrderView> {
    const answer = await send(`${this.urls.order}/orders/${orderId}`);
    if (answer.status !== 200) throw new Error(`GET /orders/${orderId}: ${answer.status} ${answer.text}`);
    const order = OrderView.parse(answer.json());
    this.#observe(order);
    return order;
  }

  /** Resolves when every order that was accepted has ended; throws with those that have not. */
  async allEnded(within: number): Promise<void> {
    await eventually(
      async () => {
        await this.listed();
        const open = this.accepted.filter(({ order }) => !ended.has(order.settlement));
        if (open.length > 0) {
          throw new Error(
            `${open.length} of ${this.accepted.length} orders have not ended: ${open
              .slice(0, 10)
              .map(({ order }) => `${order.orderId} ${order.status}/${order.settlement}`)
              .join(', ')}`,
          );
        }
      },
      { within, every: 250 },
    );
  }

  /** All orders that the service lists; what is remembered is brought up to date. */
  async listed(): Promise<OrderView[]> {
    const orders: OrderView[] = [];
    let cursor: string | null = null;
    do {
      const answer: Answer = await send(
        `${this.urls.order}/orders?limit=500${cursor ? `&cursor=${cursor}` : ''}`,
      );
      if (answer.status !== 200) throw new Error(`GET /orders: ${answer.status} ${answer.text}`);
      const page: z.infer<typeof Page> = Page.parse(answer.json());
      orders.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    const byId = new Map(
      this.accepted.map((placement) => [placement.order.orderId, placement as Placement] as const),
    );
    for (const order of orders) {
      const placement = byId.get(order.orderId);
      if (placement) this.#agree(placement, order);
    }
    return orders;
  }

  #any(service: ServiceName): string {
    const urls = this.replicas(service);
    this.#asked += 1;
    return urls[this.#asked % urls.length] ?? this.urls[service];
  }

  async #add(service: ServiceName, path: string, body: unknown): Promise<void> {
    const key = randomUUID();
    const answer = await this.#untilDefinite(120_000, () =>
      send(`${this.#any(service)}${path}`, {
        method: 'POST',
        body,
        headers: { 'idempotency-key': key },
        within: 20_000,
      }),
    );
    if (answer?.status !== 200)
      throw new Error(`POST ${path}: ${answer ? `${answer.status} ${answer.text}` : 'no definite answer'}`);
  }

  /** Repeats what has no definite answer: a broken connection, 5xx, 409 and 429. Undefined when time is up. */
  async #untilDefinite(within: number, ask: () => Promise<Answer>): Promise<Answer | undefined> {
    const until = performance.now() + within;
    let pause = 50;
    while (performance.now() < until) {
      const answer = await ask().catch(() => undefined);
      if (answer && answer.status < 500 && answer.status !== 409 && answer.status !== 429) return answer;
      // With the upper half left to chance and growing apart: hundreds that wait for one service must not storm it.
      await new Promise((resolve) => setTimeout(resolve, pause / 2 + (this.random() * pause) / 2));
      pause = Math.min(pause * 2, 4000);
    }
    return undefined;
  }

  #remember(placement: Placement, answer: Answer): void {
    if (answer.status !== 200 && answer.status !== 202) {
      // 503 says that nothing was accepted; any other 5xx says nothing at all.
      if (answer.status >= 500 && answer.status !== 503) forget(placement);
      else if (!placement.order) placement.outcome = { refused: answer.status };
      return;
    }
    const order = OrderView.parse(answer.json());
    // Refused is refused: whoever was only ever sent away must not find that it was accepted all the same.
    const before = placement.answers.slice(0, -1);
    if (answer.headers['idempotency-replayed'] === 'true' && before.length > 0 && before.every(isRefusal))
      this.#contradiction(
        placement,
        `order ${order.orderId} replayed after nothing but ${before.join(', ')}`,
      );
    if (answer.headers.location !== `/orders/${order.orderId}`)
      this.#contradiction(placement, `Location ${answer.headers.location} for order ${order.orderId}`);
    if (placement.order && placement.order.orderId !== order.orderId)
      this.#contradiction(placement, `order ${order.orderId} after order ${placement.order.orderId}`);
    placement.outcome = { accepted: order.orderId };
    this.#agree(placement, order);
  }

  #observe(order: OrderView): void {
    const placement = this.accepted.find((each) => each.order.orderId === order.orderId);
    if (placement) this.#agree(placement, order);
  }

  /** An order decides once, ends once, and is otherwise what was ordered. */
  #agree(placement: Placement, now: OrderView): void {
    const before = placement.order;
    placement.order = now;
    const asked = placement.body.lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join();
    if (now.lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join() !== asked)
      this.#contradiction(placement, `lines ${JSON.stringify(now.lines)} for ${asked}`);
    if (now.customerId !== placement.body.customerId)
      this.#contradiction(placement, `customer ${now.customerId}`);
    const total = now.lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);
    if (now.total !== total) this.#contradiction(placement, `total ${now.total} of lines worth ${total}`);
    if (!before) return;
    if (before.total !== now.total)
      this.#contradiction(placement, `total ${now.total} after ${before.total}`);
    // Two answers may be read in another order than they were made: only what was final may not move.
    if (before.status !== 'PENDING' && now.status !== 'PENDING' && before.status !== now.status)
      this.#contradiction(placement, `${now.status} after ${before.status}`);
    if (before.status !== 'PENDING' && now.status === 'PENDING') placement.order = before;
    else if (
      settlements.indexOf(now.settlement) < settlements.indexOf(before.settlement) &&
      now.settlement === 'NONE'
    )
      placement.order = before;
  }

  #contradiction(placement: Placement, what: string): void {
    this.contradictions.push(`key ${placement.key}: ${what}`);
  }
}

function forget(placement: Placement): void {
  if (!placement.order) delete placement.outcome;
}

/** Sent away on purpose: nothing was accepted and the key is free. */
function isRefusal(answer: string): boolean {
  return answer === '429' || answer === '503';
}
