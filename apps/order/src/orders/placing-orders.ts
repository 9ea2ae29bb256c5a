import type { PlaceOrder, Protocol } from '@faultline/contracts';
import { Problem } from '@faultline/http-server';
import type { Catalogue, Prices } from '../catalogue/catalogue.js';
import type { NewId, OrderProtocol } from '../protocols/protocol.js';
import type { Acceptance, Accepted } from './acceptance.js';
import { isCountable, type Order } from './order.js';
import { hashOf } from './placement.js';

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
  ) {}

  /** Throws Problem for every refusal in the contract's answer table. */
  async place(key: string, body: PlaceOrder): Promise<{ order: Order; replayed: boolean }> {
    const bodyHash = hashOf(body);
    const orderId = this.newId();
    const skus = body.lines.map((line) => line.sku);
    let prices = this.#refusal(body) === null ? this.catalogue.atHand(skus) : null;
    if (!prices) {
      const known = await this.acceptance.find(key, bodyHash);
      if (known) return answer(known);
      prices = await this.#price(body, skus);
    }
    if (!isCountable(body.lines, prices.bySku)) {
      throw new Problem({
        status: 422,
        title: 'Order too large',
        detail: 'The total cannot be counted exactly.',
      });
    }
    return answer(
      await this.acceptance.accept({ key, bodyHash, orderId, body, prices, traceparent: this.traceparent() }),
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
  if ('accepted' in accepted) return { order: accepted.accepted, replayed: false };
  if ('replayed' in accepted) return { order: accepted.replayed, replayed: true };
  throw new Problem({
    status: 422,
    title: 'Idempotency-Key was used for another body',
    detail: 'This key belongs to an order with another body. Use a new key for a new order.',
  });
}
