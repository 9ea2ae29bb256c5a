import type { Progress } from './crash-test.js';
import { seconds1 } from './report.js';
import { lengthOf } from '../kills/recovery.js';

const sayEvery = 10_000;

/** One line that is rewritten in a terminal; elsewhere a line every ten seconds. */
export class ProgressLine {
  readonly #begun = performance.now();
  readonly #live: boolean;
  #drawn = false;
  #said = -Infinity;

  constructor(
    private readonly kills: number,
    private readonly stream: NodeJS.WriteStream = process.stdout,
  ) {
    this.#live = stream.isTTY && process.env['TERM'] !== 'dumb';
  }

  show(state: Progress): void {
    const now = performance.now();
    if (!this.#live && now - this.#said < sayEvery) return;
    this.#said = now;
    const line = lineOf(state, this.kills, now - this.#begun);
    if (!this.#live) return void this.stream.write(`${line}\n`);
    this.#erase();
    this.stream.write(line.slice(0, (this.stream.columns ?? 80) - 1));
    this.#drawn = true;
  }

  /** Writes a line that stays. */
  write(line: string): void {
    this.#erase();
    this.stream.write(`${line}\n`);
  }

  #erase(): void {
    if (this.#drawn) this.stream.write('\r\u001B[2K');
    this.#drawn = false;
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
