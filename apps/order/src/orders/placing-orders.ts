import type { PlaceOrder, Protocol } from '@faultline/contracts';
import { Problem } from '@faultline/http-server';
import { describeSpan, withSpan } from '@faultline/telemetry';
import type { Catalogue, Prices } from '../catalogue/catalogue.js';
import type { NewId, OrderProtocol } from '../protocols/protocol.js';
import type { Acceptance, Accepted } from './acceptance.js';
import { isCountable, type Order } from './order.js';
import { hashOf, type Placement } from './placement.js';

/**
 * Placing an order: is the key known, what does it cost, accept. A known key is answered before the catalogue is asked,
 * so that a client that repeats itself gets its order whatever has happened to the prices or to inventory.
 */
export class PlacingOrders {
  constructor(
    private readonly acceptance: Acceptance,
    private readonly catalogue: Catalogue,
    private readonly protocols: ReadonlyMap<Protocol, OrderProtocol>,
    private readonly newId: NewId,
    /** The trace of the request that is being handled. */
    private readonly traceparent: () => string,
    /** Why no new order is accepted at the moment; null while they are. */
    private readonly closed: () => Problem | null = () => null,
  ) {}

  /** Throws Problem for every refusal in the contract's answer table. */
  async place(key: string, body: PlaceOrder): Promise<{ order: Order; replayed: boolean }> {
    const bodyHash = hashOf(body);
    const orderId = this.newId();
    const skus = body.lines.map((line) => line.sku);
    const closed = this.closed();
    let prices = this.#refusal(body) === null && !closed ? this.catalogue.atHand(skus) : null;
    if (!prices) {
      // A known key is no new order: it is answered whatever else is refused.
      const known = await this.acceptance.find(key, bodyHash);
      if (known) return answer(known);
      if (closed) throw closed;
      prices = await this.#price(body, skus);
    }
    if (!isCountable(body.lines, prices.bySku)) {
      throw new Problem({
        status: 422,
        title: 'Order too large',
        detail: 'The total cannot be counted exactly.',
      });
    }
    return answer(await this.#accept({ key, bodyHash, orderId, body, prices }));
  }

  /** From here on the order's trace goes on without its request: what follows is caused by this span. */
  #accept(placement: Omit<Placement, 'traceparent'>): Promise<Accepted> {
    return withSpan(
      'accept order',
      { attributes: { 'faultline.protocol': placement.body.protocol } },
      async () => {
        const accepted = await this.acceptance.accept({ ...placement, traceparent: this.traceparent() });
        if ('accepted' in accepted) describeSpan({ 'faultline.order_id': accepted.accepted.orderId });
        return accepted;
      },
    );
  }

  #refusal(body: PlaceOrder): string | null {
    const protocol = this.protocols.get(body.protocol);
    if (!protocol) {
      const available = [...this.protocols.keys()].join(', ');
      return `protocol ${body.protocol} is not available yet: choose one of ${available}`;
    }
    return protocol.refuses(body);
  }

  async #price(body: PlaceOrder, skus: readonly string[]): Promise<Prices> {
    const refusal = this.#refusal(body);
    if (refusal !== null) {
      throw new Problem({ status: 422, title: 'This order cannot be carried', detail: refusal });
    }
    const found = await this.catalogue.pricesOf(skus);
    if ('known' in found) return found.known;
    if ('unknown' in found) {
      throw new Problem({
        status: 422,
        title: 'Unknown SKU',
        detail: `The catalogue does not have: ${found.unknown.join(', ')}.`,
        errors: found.unknown.map((sku) => ({
          path: `lines.${skus.indexOf(sku)}.sku`,
          message: `unknown SKU ${sku}`,
        })),
      });
    }
    throw new Problem({
      status: 503,
      title: 'The catalogue is not available',
      detail: 'Prices cannot be read at the moment. Nothing was accepted; the key is free.',
      headers: { 'retry-after': '1' },
    });
  }
}

function answer(accepted: Accepted): { order: Order; replayed: boolean } {
  if (!('conflict' in accepted)) {
    const replayed = 'replayed' in accepted;
    const order = replayed ? accepted.replayed : accepted.accepted;
    describeSpan({ 'faultline.order_id': order.orderId, 'faultline.replayed': replayed });
    return { order, replayed };
  }
  throw new Problem({
    status: 422,
    title: 'Idempotency-Key was used for another body',
    detail: 'This key belongs to an order with another body. Use a new key for a new order.',
  });
}
