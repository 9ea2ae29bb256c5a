import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { otlpJson } from './otlp-json.js';

export interface TraceFilesOptions {
  /** Made when it is not there. */
  readonly folder: string;
  /** Names this replica, and its two files: `order-1.jsonl` and, older, `order-1.old.jsonl`. */
  readonly instance: string;
  /** Bytes that one file may have. */
  readonly largest?: number;
  /** Milliseconds during which one file is written. */
  readonly longest?: number;
  /** Hears once of each time that writing begins to fail. */
  readonly trouble?: (error: unknown) => void;
}

type Export = Parameters<SpanExporter['export']>;

/**
 * Keeps the last minutes of this process's spans in two files, one batch of OTLP JSON per line, so that a trace can be
 * read on a laptop without a backend. When the first file is full or old it takes the place of the second, whose spans
 * are forgotten: disk and time are bounded. What was handed over survives kill -9. A disk that refuses costs the spans,
 * and nothing else.
 */
export class TraceFiles implements SpanExporter {
  readonly #file: string;
  readonly #older: string;
  readonly #o: Required<TraceFilesOptions>;
  #queue: Promise<unknown> = Promise.resolve();
  #failing = false;
  // A predecessor that was killed, or a full disk, may have left half a line: the next one must not be glued to it.
  #torn = true;

  constructor(options: TraceFilesOptions) {
    this.#o = { largest: 32 * 1024 * 1024, longest: 10 * 60_000, trouble: () => undefined, ...options };
    this.#file = join(options.folder, `${options.instance}.jsonl`);
    this.#older = join(options.folder, `${options.instance}.old.jsonl`);
  }

  export(spans: ReadableSpan[], done: Export[1]): void {
    const written = this.#queue.then(() => this.#append(`${otlpJson(spans)}\n`));
    this.#queue = written.then(
      () => {
        this.#failing = false;
        done({ code: 0 });
      },
      (error: unknown) => {
        if (!this.#failing) this.#o.trouble(error);
        this.#failing = true;
        done({ code: 1, error: error instanceof Error ? error : new Error(String(error)) });
      },
    );
  }

  async forceFlush(): Promise<void> {
    await this.#queue;
  }

  async shutdown(): Promise<void> {
    await this.#queue;
  }

  async #append(line: string): Promise<void> {
    await mkdir(this.#o.folder, { recursive: true });
    await this.#makeRoom(line.length);
    const text = this.#torn ? `\n${line}` : line;
    this.#torn = true;
    await appendFile(this.#file, text, { mode: 0o640 });
    this.#torn = false;
  }

  async #makeRoom(needed: number): Promise<void> {
    const { size, birthtimeMs } = await stat(this.#file).catch(() => ({ size: 0, birthtimeMs: 0 }));
    // Some file systems do not know when a file was made: there the size alone decides.
    const old = birthtimeMs > 0 && Date.now() - birthtimeMs > this.#o.longest;
    if (size > 0 && (old || size + needed > this.#o.largest)) await rename(this.#file, this.#older);
  }
}
