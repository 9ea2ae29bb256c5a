import { z } from 'zod';

/** A setting is missing or wrong. The message names each one and says what it should be. */
export class BadSettings extends Error {
  override readonly name = 'BadSettings';
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

export function isLoopback(host: string): boolean {
  return loopback.has(host);
}

/** What every process must be told. `extend` it with its own. */
export const processSettings = z.object({
  PORT: z.coerce.number('must be a port number').int().min(0).max(65_535),
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Names this replica towards Kafka and the relay's leases: two living processes must never share it. */
  INSTANCE: z.string().regex(/^[a-z0-9-]{1,60}$/, 'must be like inventory-1'),
  /** `on`: faults can be injected, by whoever has the token. */
  FAULTLINE_CHAOS: z.enum(['on', 'off'], 'must be on or off').default('off'),
  FAULTLINE_SERVICE_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  /** Requests that are worked on at a time; the next one is refused with 503. */
  MAX_REQUESTS: z.coerce.number('must be a number').int().min(1).default(300),
  /** Milliseconds by which the event loop may lag before requests are refused. */
  MAX_EVENT_LOOP_DELAY_MS: z.coerce.number('must be a number').int().min(1).default(500),
});
export type ProcessSettings = z.infer<typeof processSettings>;

/** What every service must be told: those of a process, and where its database and the broker are. */
export const serviceSettings = processSettings.extend({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' }),
  KAFKA_BROKERS: z
    .string()
    .transform((list) =>
      list
        .split(',')
        .map((broker) => broker.trim())
        .filter((broker) => broker !== ''),
    )
    .refine((list) => list.length > 0 && list.every((broker) => /^[^\s:]+:\d+$/.test(broker)), {
      error: 'must be host:port, several separated by commas',
    }),
  /** `on`: create the demo data where there is none yet. */
  FAULTLINE_DEMO_DATA: z.enum(['on', 'off'], 'must be on or off').default('off'),
});
export type ServiceSettings = z.infer<typeof serviceSettings>;

/**
 * Reads a process's settings from the environment. Throws BadSettings with every complaint at once, and when the
 * process is told to listen beyond loopback without a token of its own.
 */
export function readSettings<Schema extends z.ZodType<ProcessSettings>>(
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  // An empty variable is how a compose file says "not set".
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(given);
  if (!result.success) {
    const complaints = result.error.issues.map((issue) => {
      const name = issue.path.join('.');
      return given[name] === undefined ? `${name} is not set` : `${name} ${issue.message}`;
    });
    throw new BadSettings(complaints.join('; '));
  }
  if (!isLoopback(result.data.HOST) && result.data.FAULTLINE_SERVICE_TOKEN === undefined) {
    throw new BadSettings(
      `FAULTLINE_SERVICE_TOKEN is not set, and HOST is ${result.data.HOST}: beyond loopback it needs a token of its own`,
    );
  }
  return result.data;
}
