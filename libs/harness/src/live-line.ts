/** One line that is rewritten in a terminal; in a pipe a line every so often. */
export class LiveLine {
  readonly #live: boolean;
  #drawn = false;
  #said = -Infinity;

  constructor(
    private readonly every = 1000,
    private readonly stream: NodeJS.WriteStream = process.stdout,
  ) {
    this.#live = stream.isTTY && process.env['TERM'] !== 'dumb';
  }

  show(line: string): void {
    const now = performance.now();
    if (!this.#live && now - this.#said < this.every) return;
    this.#said = now;
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
