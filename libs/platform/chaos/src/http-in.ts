import {
  whenDraining,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from '@faultline/http-server';
import type { Faults, Strike } from './faults.js';
import { factsOfExchange, first, sufferLatency } from './strike.js';

/** How one sees and heals what goes wrong: never struck. Express takes /Health for /health, so do we. */
const spared = /^\/(chaos|health|metrics|resilience|audit)(\/|$)/i;

/**
 * Requests through faults. `before` comes first of all and strikes by faults without a filter, whatever the request is;
 * `filtered` comes once the body was read, for the others must know it.
 */
export function requestsThrough(faults: Faults): {
  readonly before: RequestHandler;
  readonly filtered: RequestHandler;
} {
  return {
    before: through(() => faults.strike({ at: 'http-in' })),
    filtered: through((request) =>
      faults.strike({
        at: 'http-in',
        carries: () => [factsOfExchange(request.originalUrl, request.body)],
        onlyFiltered: true,
      }),
    ),
  };
}

function through(strike: (request: Request) => readonly Strike[]): RequestHandler {
  return (request, response, next) => {
    const [path = ''] = request.originalUrl.split('?', 1);
    const strikes = spared.test(path) ? [] : strike(request);
    if (strikes.length === 0) next();
    else void suffer(strikes, request, response, next);
  };
}

async function suffer(
  strikes: readonly Strike[],
  request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const stopping = new AbortController();
  whenDraining(response, () => stopping.abort());
  await sufferLatency(strikes, stopping.signal);
  const last = first(strikes, 'error', 'hang', 'reset');
  switch (last?.fault.kind) {
    case undefined:
      next();
      return;
    case 'error':
      answer(last, response);
      return;
    case 'hang': {
      // What is still to come is taken as well, so that a client that goes away is noticed.
      request.resume();
      const gone = new Promise<void>((resolve) => response.once('close', resolve));
      const over = new Promise<void>((resolve) => {
        const signal = AbortSignal.any([last.ended, stopping.signal]);
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([gone, over]);
    }
  }
  // Not merely closed: that would look like a polite end.
  if (!request.socket.destroyed) request.socket.resetAndDestroy();
}

function answer({ fault }: Strike, response: Response): void {
  const status = fault.status ?? 503;
  if (status === 429 || status === 503) response.setHeader('retry-after', '1');
  const problem = {
    type: 'about:blank',
    title: 'Injected fault',
    status,
    detail: `The fault ${fault.name} struck this request before anything was done.`,
  };
  response.status(status).type('application/problem+json').send(JSON.stringify(problem));
}
