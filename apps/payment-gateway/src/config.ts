import { processSettings, readSettings } from '@faultline/service/process';
import { z } from 'zod';

const schema = processSettings.extend({
  /** The file that holds the books. Its folder must be there. */
  GATEWAY_BOOKS: z.string('must be the path of a file').min(1),
});
export type GatewayConfig = z.infer<typeof schema>;

/** Every setting of the gateway. Throws BadSettings with each complaint. */
export const readConfig = (env: NodeJS.ProcessEnv): GatewayConfig => readSettings(schema, env);
