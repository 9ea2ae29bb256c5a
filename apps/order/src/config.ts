import { readSettings, serviceSettings } from '@faultline/service';
import { z } from 'zod';

const schema = serviceSettings.extend({
  INVENTORY_URL: z.url({ error: 'must be the address of the inventory service' }),
  PAYMENT_URL: z.url({ error: 'must be the address of the payment service' }),
  /** Seconds during which prices read from inventory count as live. */
  CATALOGUE_FRESH_SECONDS: z.coerce.number().min(0).max(3600).default(5),
  /** Seconds during which kept prices may be used while inventory cannot be reached. */
  CATALOGUE_USABLE_SECONDS: z.coerce.number().min(0).max(86_400).default(300),
  /** Messages that may wait to be sent before no new order is accepted. */
  INTAKE_MOST_ROWS: z.coerce.number().int().min(1).default(100_000),
  /** Seconds that they may have waited: half of the time in which an order has to be decided. */
  INTAKE_OLDEST_AGE_SECONDS: z.coerce.number().min(1).default(60),
});

export type OrderConfig = z.infer<typeof schema>;

/** Every setting of this service. Throws BadSettings with each complaint. */
export function config(env: NodeJS.ProcessEnv): OrderConfig {
  return readSettings(schema, env);
}
