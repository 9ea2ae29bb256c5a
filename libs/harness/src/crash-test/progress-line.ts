import type { Progress } from './crash-test.js';
import { seconds1 } from './report.js';
import { lengthOf } from '../kills/recovery.js';
import { LiveLine } from '../live-line.js';

/** The line of a crash test; in a pipe one every ten seconds. */
export class ProgressLine {
  readonly #begun = performance.now();
  readonly #line = new LiveLine(10_000);

  constructor(private readonly kills: number) {}

  show(state: Progress): void {
    this.#line.show(lineOf(state, this.kills, performance.now() - this.#begun));
  }

  /** Writes a line that stays. */
  write(line: string): void {
    this.#line.write(line);
  }
}

/** How far it is: time, kills, orders, how many are open, and the worst recovery so far. */
export function lineOf({ phase, kills, orders, open, worst }: Progress, of: number, elapsed: number): string {
  const time = `${(elapsed / 1000).toFixed(0).padStart(4)} s`;
  if (phase === 'starting') return `${time}  starting a system of its own`;
  const recovery = worst
    ? `  worst recovery ${seconds1(lengthOf(worst))} (${worst.signal} ${worst.process})`
    : '';
  const doing = { killing: '', settling: '  settling', judging: '  judging' }[phase];
  return `${time}  kills ${kills}/${of}  orders ${orders}  open ${open}${recovery}${doing}`;
}
