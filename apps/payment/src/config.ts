import { readSettings, serviceSettings } from '@faultline/service';
import { z } from 'zod';

/** Every setting of payment, read once at the start. */
export const Config = serviceSettings.extend({
  PAYMENT_GATEWAY_URL: z.url({ error: 'must be the address of the card gateway' }),
});
export type Config = z.infer<typeof Config>;

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(Config, env);
