import { pause } from '@faultline/service/process';
import type { Fault, Facts } from './fault.js';
import type { Strike } from './faults.js';

/** What a fault throws, alone or as the cause of what the port would throw. */
export class InjectedFault extends Error {
  override readonly name = 'InjectedFault';
  constructor({ name, at, kind }: Pick<Fault, 'name' | 'at' | 'kind'>) {
    super(`the fault ${name} (${at} ${kind}) struck here`);
  }
}

/** Waits as long as the latencies among the strikes say, one after the other; each no longer than its fault, or `until`. */
export async function sufferLatency(strikes: readonly Strike[], until?: AbortSignal): Promise<void> {
  for (const { fault, ended } of strikes) {
    if (fault.kind !== 'latency') continue;
    await pause(fault.milliseconds ?? 0, until ? AbortSignal.any([ended, until]) : ended);
  }
}

/** The first strike of one of these kinds. */
export function first(strikes: readonly Strike[], ...kinds: readonly string[]): Strike | undefined {
  return strikes.find(({ fault }) => kinds.includes(fault.kind));
}

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** What an address and a JSON body say of an exchange. Outside parties call an order's id its reference. */
export function factsOfExchange(address: string, body: unknown): Facts {
  const [path = '', query = ''] = address.split('?', 2);
  const asked = new URLSearchParams(query);
  const said = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const orderId = uuid.exec(path)?.[0] ?? text(said['orderId']) ?? text(said['reference']);
  const customerId =
    /^\/wallets\/([^/]+)/.exec(path)?.[1] ?? text(said['customerId']) ?? asked.get('customerId') ?? undefined;
  // An order that names no protocol is carried by a saga.
  const places = path === '/orders' && typeof body === 'object' ? 'saga' : undefined;
  const protocol = text(said['protocol']) ?? asked.get('protocol') ?? places;
  return {
    ...(orderId === undefined ? {} : { orderId: orderId.toLowerCase() }),
    ...(customerId === undefined ? {} : { customerId }),
    ...(protocol === undefined ? {} : { protocol }),
  };
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
