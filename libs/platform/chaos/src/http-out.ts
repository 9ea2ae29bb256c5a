import type { Faults, Strike } from './faults.js';
import { factsOfExchange, first, InjectedFault, sufferLatency } from './strike.js';

type Fetch = typeof globalThis.fetch;

/** Calls to one dependency through faults. What a struck call meets is what a network and a bad server would do to it. */
export function fetchThrough(faults: Faults, dependency: string, carry: Fetch): Fetch {
  return async (input, init) => {
    const address = input instanceof Request ? input.url : input;
    const strikes = faults.strike({
      at: `http-out:${dependency}`,
      carries: () => {
        const { pathname, search } = new URL(address);
        return [factsOfExchange(pathname + search, parsed(init?.body))];
      },
    });
    if (strikes.length === 0) return carry(input, init);
    const signal = init?.signal ?? undefined;
    await sufferLatency(strikes, signal);
    signal?.throwIfAborted();
    const last = first(strikes, 'error', 'hang', 'reset');
    if (!last) return carry(input, init);
    if (last.fault.kind === 'error') return answer(last);
    if (last.fault.kind === 'hang') await silence(last.ended, signal);
    throw broken(last);
  };
}

/** Until the caller loses patience, whose reason is thrown, or the fault is over. */
function silence(ended: AbortSignal, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const either = AbortSignal.any([ended, ...(signal ? [signal] : [])]);
    const end = (): void => (signal?.aborted ? reject(signal.reason as Error) : resolve());
    if (either.aborted) end();
    else either.addEventListener('abort', end, { once: true });
  });
}

function answer({ fault }: Strike): Response {
  const status = fault.status ?? 503;
  return new Response(JSON.stringify({ type: 'about:blank', title: 'Injected fault', status }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  });
}

/** As fetch says it of a connection that was reset. */
function broken({ fault }: Strike): TypeError {
  const cause = Object.assign(new InjectedFault(fault), { code: 'ECONNRESET' });
  return new TypeError('fetch failed', { cause });
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
