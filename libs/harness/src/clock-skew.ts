/** A wall clock that can be set. */
export interface WallClock {
  /** How many milliseconds it is ahead of the machine's from now on; negative when it is behind. */
  ahead(milliseconds: number): void;
}

/**
 * Takes over this process's wall clock: `Date` and `performance.timeOrigin` agree on another time, as they do where the
 * machine's clock is wrong. What is monotonic stays as it is: `performance.now()`, timers.
 */
export function takeOverWallClock(): WallClock {
  const RealDate = Date;
  const realNow = Date.now.bind(Date);
  const realOrigin = performance.timeOrigin;
  let shift = 0;
  const now = (): number => realNow() + shift;

  const ShiftedDate = new Proxy(RealDate, {
    construct: (target, given: unknown[], newTarget) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget) as object,
    apply: () => new RealDate(now()).toString(),
    get: (target, name, receiver): unknown => (name === 'now' ? now : Reflect.get(target, name, receiver)),
  });
  Object.defineProperty(RealDate.prototype, 'constructor', { value: ShiftedDate });
  globalThis.Date = ShiftedDate;
  Object.defineProperty(performance, 'timeOrigin', { configurable: true, get: () => realOrigin + shift });
  return {
    ahead(milliseconds) {
      shift = milliseconds;
    },
  };
}
