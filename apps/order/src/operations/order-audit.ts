import { OrderAudit } from '@faultline/contracts';
import type { PrismaClient } from '../generated/client.js';

/**
 * The sums that this service vouches for, at one snapshot: one statement sees one. Net amounts and quantities are those
 * of the orders that stand, APPROVED and not cancelled; when nothing is under way, money and stock must equal them.
 */
export class OrderAudits {
  constructor(private readonly prisma: PrismaClient) {}

  async read(): Promise<OrderAudit> {
    const [row] = await this.prisma.$queryRaw<{ audit: unknown }[]>`
      SELECT json_build_object(
        'orders', (
          SELECT coalesce(json_agg(grouped), '[]') FROM (
            SELECT status, settlement, protocol, count(*)::int AS count
            FROM orders GROUP BY status, settlement, protocol ORDER BY 1, 2, 3) AS grouped),
        'netAmount', (
          SELECT json_build_object(
            'wallet', coalesce(sum(total) FILTER (WHERE payment->>'method' = 'wallet'), 0),
            'card', coalesce(sum(total) FILTER (WHERE payment->>'method' = 'card'), 0))
          FROM orders WHERE status = 'APPROVED'),
        'netQuantities', (
          SELECT coalesce(json_object_agg(sku, quantity), '{}') FROM (
            SELECT line.sku, sum(line.quantity)::bigint AS quantity
            FROM orders, jsonb_to_recordset(lines) AS line (sku text, quantity bigint)
            WHERE status = 'APPROVED' GROUP BY line.sku ORDER BY line.sku) AS summed),
        'suspended', (
          SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM saga WHERE status = 'SUSPENDED'),
        'skipped', (
          SELECT coalesce(json_agg(json_build_object('orderId', id, 'reason', skipped) ORDER BY id), '[]')
          FROM saga WHERE skipped IS NOT NULL)
      ) AS audit`;
    return OrderAudit.parse(row?.audit);
  }
}
