import type { ResilienceEvent } from './events.js';
import { FakeClock } from './fake-clock.js';
import type { InOrder, Pipeline } from './pipeline.js';
import { Resilience } from './resilience.js';

/** A dependency whose answers the test gives, and the pipeline to it. */
export function dependency<F = never>(...policies: InOrder<F>) {
  const clock = new FakeClock();
  const resilience = new Resilience({ clock, random: () => 1 });
  const events: ResilienceEvent[] = [];
  resilience.on((event) => events.push(event));
  const pipeline: Pipeline<F> = resilience.pipeline<F>('dependency', ...policies);
  let asked = 0;
  return {
    clock,
    resilience,
    events,
    pipeline,
    /** How often it was really asked. */
    get asked() {
      return asked;
    },
    breaker: () => resilience.view().breakers[0],
    succeed: () => pipeline.execute(() => ((asked += 1), Promise.resolve('fine'))),
    fail: () => pipeline.execute(() => ((asked += 1), Promise.reject(new Error('down')))),
    refuse: () =>
      pipeline.execute(
        () => ((asked += 1), Promise.reject(Object.assign(new Error('no'), { retriable: false }))),
      ),
    /** A call whose end the test decides. `signal` is what the call was given. */
    hang(options?: Parameters<typeof pipeline.execute>[1]) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const call: { signal?: AbortSignal } = {};
      const answer = pipeline.execute(({ signal }) => {
        asked += 1;
        call.signal = signal;
        return promise;
      }, options);
      answer.catch(() => undefined);
      return { answer, resolve, reject, call };
    },
  };
}

/** The message of what a call was rejected with. */
export const why = (call: Promise<unknown>): Promise<string> =>
  call.then(
    (value) => `answered ${String(value)}`,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
