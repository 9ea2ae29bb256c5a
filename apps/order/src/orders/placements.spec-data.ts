import { partitionsOf, type PlaceOrder } from '@faultline/contracts';
import type { Database } from '@faultline/database';
import { v7 as uuidv7 } from 'uuid';
import { orderProtocols } from '../protocols/index.js';
import { Acceptance } from './acceptance.js';
import { hashOf, type Placement } from './placement.js';

/** A placement for tests: two green teas by wallet, under a key and an id of its own. */
export function aPlacement(change: Partial<PlaceOrder> = {}, key: string = uuidv7()): Placement {
  const body: PlaceOrder = {
    customerId: 'customer-1',
    lines: [{ sku: 'tea-green', quantity: 2 }],
    payment: { method: 'wallet' },
    protocol: 'saga',
    ...change,
  };
  return {
    key,
    bodyHash: hashOf(body),
    orderId: uuidv7(),
    body,
    prices: { bySku: new Map([['tea-green', 450]]), source: 'live' },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
}

export function acceptanceOn(database: Database): Acceptance {
  return new Acceptance({
    database,
    protocols: orderProtocols(uuidv7),
    source: '/order',
    partitionsOf,
    committed: () => undefined,
  });
}
