import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import { LoadShedding } from '@faultline/resilience';
import { meter } from '@faultline/telemetry';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { Problem } from './problem.js';

/** How much is let in. */
export interface DoorSettings {
  /** Requests that are worked on at a time; those that only wait (`onlyWaits`) are not counted. */
  readonly limit: number;
  /** Milliseconds by which the event loop may lag. */
  readonly longestDelay: number;
}

// Whoever looks after a service that is overloaded must get through to it, and what other services ask for an order that
// is under way must, too.
const alwaysOpen =
  /^\/(health|metrics|resilience|outbox|dead-letters|chaos|audit|sagas|two-phase-commits|internal|docs|openapi\.json)(\/|$)/;

const metrics = meter('faultline.http');
const shed = metrics.createCounter('faultline.http.shed', {
  description: 'requests that were refused because too much was under way, by reason',
});
const expired = metrics.createCounter('faultline.http.expired', {
  description: 'requests that were refused because nobody waited for their answer any more',
});

const deadlines = new AsyncLocalStorage<number>();
const inside = new WeakMap<ServerResponse, () => void>();

/** When nobody waits for the answer of the present request any more, in epoch milliseconds; Infinity when nobody said. */
export function requestDeadline(): number {
  return deadlines.getStore() ?? Infinity;
}

/** From now on the request is no work any more, and holds nobody back: it waits, as a stream does. */
export function onlyWaits(response: ServerResponse): void {
  inside.get(response)?.();
}

/** Lets requests in while they can be worked on in time. A refused one has had no effect. `delay`: the event loop's lag. */
export function door(settings: DoorSettings, delay: () => number): RequestHandler {
  const shedding = new LoadShedding({ ...settings, delay });
  metrics
    .createObservableGauge('faultline.http.active', { description: 'requests that are worked on' })
    .addCallback((gauge) => gauge.observe(shedding.view.active));
  return (request: Request, response: Response, next: NextFunction): void => {
    const remaining = remainingOf(request);
    if (remaining <= 0) {
      expired.add(1);
      next(
        new Problem({
          status: 504,
          type: 'https://faultline.example/problems/expired',
          title: 'Expired',
          detail: 'The time for this request was over when it came. Nothing was done.',
        }),
      );
      return;
    }
    const onward = (): void => {
      if (remaining === Infinity) next();
      else deadlines.run(Date.now() + remaining, next);
    };
    if (alwaysOpen.test(request.path)) return onward();
    const entered = shedding.enter();
    if (typeof entered !== 'function') {
      shed.add(1, { reason: entered.shed });
      next(
        new Problem({
          status: 503,
          type: 'https://faultline.example/problems/overloaded',
          title: 'Too much is under way',
          detail: 'There is more to do than can be done in time. Nothing was done; try again.',
          headers: { 'retry-after': '1' },
        }),
      );
      return;
    }
    inside.set(response, entered);
    response.once('close', entered);
    onward();
  };
}

/** `x-remaining-ms`; what is no number says nothing. */
function remainingOf(request: Request): number {
  const given = request.header('x-remaining-ms');
  return given !== undefined && /^-?\d{1,12}$/.test(given) ? Number(given) : Infinity;
}
