/**
 * The time that a stop has, by the monotonic clock. Each step may use what is left, less what the steps after it are to
 * keep: a frozen broker or database then costs its own step, and neither the others nor the whole.
 */
export class StopBudget {
  readonly #until: number;
  readonly #cut: string[] = [];

  constructor(milliseconds: number) {
    this.#until = performance.now() + milliseconds;
  }

  /** Milliseconds that a step may take when `kept` are to be left. Never negative. */
  left(kept = 0): number {
    return Math.max(0, this.#until - kept - performance.now());
  }

  /** Waits for the step, no longer than that. One that fails or is not finished is named, and the stop goes on. */
  async step(name: string, work: Promise<unknown>, kept = 0): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const time = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, this.left(kept), false);
    });
    const finished = work.then(
      () => true,
      () => false,
    );
    if (!(await Promise.race([finished, time]))) this.#cut.push(name);
    clearTimeout(timer);
  }

  /** The steps that were not finished. */
  get cut(): readonly string[] {
    return this.#cut;
  }
}
