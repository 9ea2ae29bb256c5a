import { Problem } from '@faultline/local/system';
import { send } from '../http.js';
import { GATEWAY, type GatewayName, type ServiceName } from '../system.js';

/** A system that somebody else has started: where it listens. */
export interface Found {
  readonly urls: Readonly<Record<ServiceName | GatewayName, string>>;
}

const usual = { order: 3001, payment: 3002, inventory: 3003, [GATEWAY]: 3004 } as const;

/** The local system at the ports that the environment names. Throws a Problem that says what to start when none answers. */
export async function foundSystem(env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  const port = (name: keyof typeof usual): string =>
    env[`${name.toUpperCase().replace('-', '_')}_PORT`] || String(usual[name]);
  const url = (name: keyof typeof usual): string => `http://127.0.0.1:${port(name)}`;
  const urls = {
    order: url('order'),
    payment: url('payment'),
    inventory: url('inventory'),
    [GATEWAY]: url(GATEWAY),
  };
  const answer = await send(`${urls.order}/health/live`, { within: 3000 }).catch(() => undefined);
  if (answer?.status !== 200)
    throw new Problem(
      `Nothing answers at ${urls.order}. Start the system with npm start, in another terminal; ORDER_PORT says where it is.`,
    );
  return { urls };
}
