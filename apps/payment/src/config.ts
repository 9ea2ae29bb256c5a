import { readSettings, serviceSettings } from '@faultline/service';
import type { z } from 'zod';

/** Every setting of payment, read once at the start. */
export const Config = serviceSettings;
export type Config = z.infer<typeof Config>;

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(Config, env);
