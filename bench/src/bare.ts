import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { prepareBare } from './bare-orders.js';
import type { Loop, Measured } from './loops.js';

type Sent = Omit<Measured, 'latency'> & { readonly latency: string };

/** The bare case, seen from the bench. */
export class Bare {
  private constructor(private readonly child: ChildProcess) {}

  static async start(server: string): Promise<Bare> {
    await prepareBare(server);
    return new Bare(fork(fileURLToPath(new URL('bare-process.js', import.meta.url)), [server]));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async run(loop: Loop): Promise<Measured> {
    const answered = new AbortController();
    const { signal } = answered;
    const ended = once(this.child, 'exit', { signal }).then(() => {
      throw new Error('the process of the bare case ended');
    });
    const message = once(this.child, 'message', { signal });
    this.child.send(loop);
    try {
      const [sent] = (await Promise.race([message, ended])) as [Sent];
      return { ...sent, latency: decodeFromCompressedBase64(sent.latency) };
    } finally {
      // Whichever of the two did not come is listened for no longer.
      ended.catch(() => undefined);
      message.catch(() => undefined);
      answered.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    this.child.disconnect();
    await once(this.child, 'exit');
  }
}
