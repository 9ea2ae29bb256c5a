/**
 * Runs work that somebody may want to end: `ended` resolves at Ctrl-C or SIGTERM, from the first moment on, and the
 * work then takes down what it started.
 */
export async function untilEnded<T>(work: (ended: Promise<'ended'>) => Promise<T>): Promise<T> {
  let end: () => void = () => undefined;
  const ended = new Promise<'ended'>((resolve) => {
    end = () => resolve('ended');
  });
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  try {
    return await work(ended);
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
}
