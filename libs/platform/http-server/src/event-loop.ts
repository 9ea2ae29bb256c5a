import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolution = 20;
const every = 250;

/** How many milliseconds the event loop lags, on average over the last quarter of a second. */
export function eventLoopDelay(): { delay(): number; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  let delay = 0;
  const timer = setInterval(() => {
    // The histogram has the distances between its own ticks: those of an idle loop are what it was told.
    delay = histogram.count === 0 ? 0 : Math.max(0, histogram.mean / 1e6 - resolution);
    histogram.reset();
  }, every).unref();
  return {
    delay: () => delay,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
