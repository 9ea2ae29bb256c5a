// Loaded by `--import` into a service of the harness: its wall clock goes wrong, or its event loop stands still, when
// the harness says so (disturbances.ts). It is told by SIGUSR2 to read its file, and answers by another one.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { takeOverWallClock, type WallClock } from './clock-skew.js';

/** What is wrong with one process. */
export interface Disturbance {
  /** Tells one order from the one before. */
  readonly nth: number;
  readonly clockAheadMs: number;
  readonly blockMs: number;
}

const file = process.env['FAULTLINE_DISTURBANCE'];
if (file) {
  const clock = takeOverWallClock();
  // A process that is started anew has the machine's wrong clock, too; what its predecessor was blocked for is over.
  if (existsSync(file)) setClock(clock, read(file));
  process.on('SIGUSR2', () => {
    const wanted = read(file);
    setClock(clock, wanted);
    writeFileSync(`${file}.seen`, String(wanted.nth));
    if (wanted.blockMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wanted.blockMs);
  });
}

function read(from: string): Disturbance {
  return JSON.parse(readFileSync(from, 'utf8')) as Disturbance;
}

function setClock(clock: WallClock, { clockAheadMs }: Disturbance): void {
  clock.ahead(clockAheadMs);
}
