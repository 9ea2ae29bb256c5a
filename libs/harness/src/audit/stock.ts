import type { InventoryAudit } from '@faultline/contracts';
import type { Reservation } from './tables.js';
import { deliveredFor, type Told } from './told.js';
import { type Check, Rows } from './verdict.js';

/** S: per SKU, delivered = available + reserved + sold; none negative. */
export function stock(audit: InventoryAudit, told: Told): Check {
  const rows = new Rows();
  for (const item of audit.skus) {
    const row = JSON.stringify(item);
    rows.expect(item.delivered === item.available + item.reserved + item.sold, row);
    rows.expect(item.onHand === item.available + item.reserved, row);
    rows.expect(Math.min(item.available, item.reserved, item.sold) >= 0, row);
    const delivered = deliveredFor(told, item.sku);
    rows.expect(item.delivered === delivered, `the client knows of deliveries of ${delivered}: ${row}`);
  }
  return { invariant: 'S', looked: { SKUs: audit.skus.length }, rows: rows.found };
}

/** S, order by order: each shelf's columns are what its reservations add up to. */
export function reservations(audit: InventoryAudit, all: readonly Reservation[]): Check {
  const rows = new Rows();
  const sums = { RESERVED: new Map<string, number>(), CONFIRMED: new Map<string, number>() };
  for (const { status, lines } of all) {
    if (status !== 'RESERVED' && status !== 'CONFIRMED') continue;
    for (const { sku, quantity } of lines) sums[status].set(sku, (sums[status].get(sku) ?? 0) + quantity);
  }
  for (const { sku, reserved, sold } of audit.skus) {
    const held = sums.RESERVED.get(sku) ?? 0;
    const confirmed = sums.CONFIRMED.get(sku) ?? 0;
    rows.expect(reserved === held, `${sku}: ${reserved} reserved, its reservations hold ${held}`);
    rows.expect(sold === confirmed, `${sku}: ${sold} sold, its confirmed reservations hold ${confirmed}`);
  }
  return { invariant: 'S', looked: { reservations: all.length }, rows: rows.found };
}
