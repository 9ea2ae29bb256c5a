/**
 * Repeats the assertion until it holds, at most `within` milliseconds; then throws what it threw last. Answers what the
 * assertion answered.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { within = 5000, every = 20 }: { readonly within?: number; readonly every?: number } = {},
): Promise<T> {
  const until = performance.now() + within;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, every));
    }
  }
}
