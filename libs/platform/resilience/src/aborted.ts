/** Rejects with the signal's reason when it is aborted; never resolves. Safe to race against and to forget. */
export function aborted(signal: AbortSignal): Promise<never> {
  const rejecting = new Promise<never>((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
  rejecting.catch(() => undefined);
  return rejecting;
}
