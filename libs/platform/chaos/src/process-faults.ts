import { spawn } from 'node:child_process';
import type { Strike } from './faults.js';

/**
 * Strikes this process. A crash is not returned from; a pause begins a moment after the return, when the process that
 * will end it is there.
 */
export function strikeProcess({ fault }: Strike): void {
  const { milliseconds = 0 } = fault;
  switch (fault.kind) {
    case 'crash':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'pause':
      pauseProcess(milliseconds);
      return;
    case 'block': {
      const until = performance.now() + milliseconds;
      while (performance.now() < until);
    }
  }
}

// Who stands still cannot wake itself: a second process stops the first and lets it go on. It ends with it, too, lest the
// signal meet a later process of that number.
const waker = `
const paused = process.ppid;
process.kill(paused, 'SIGSTOP');
setInterval(() => process.ppid === paused || process.exit(), 100);
setTimeout(() => { process.kill(paused, 'SIGCONT'); process.exit(); }, Number(process.argv[1]));
`;

function pauseProcess(milliseconds: number): void {
  const child = spawn(process.execPath, ['-e', waker, String(milliseconds)], {
    // A group of its own: what freezes or ends ours must not take the one that wakes it.
    detached: true,
    stdio: 'ignore',
    env: {},
  });
  child.on('error', () => undefined);
  child.unref();
}
