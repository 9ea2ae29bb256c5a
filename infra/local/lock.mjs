// One at a time: a lock that its dead owner cannot keep.
import { mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, readPidFile, recordOf, writePidFile } from './processes.mjs';

/**
 * Takes the lock for this process. Answers { release } or, when a living process has it, { owner }. `extra` is kept
 * beside the owner's pid.
 */
export async function tryLock(file, extra = {}) {
  return alone(`${file}.taking`, () => {
    const owner = readPidFile(file);
    if (owner && owner.pid !== process.pid && isAlive(owner)) return { owner };
    writePidFile(file, { ...recordOf('owner', process.pid), ...extra });
    return {
      release: () => {
        if (readPidFile(file)?.pid === process.pid) rmSync(file, { force: true });
      },
    };
  });
}

/** The same, but waits for a living owner. */
export async function lock(file, onWait = () => {}) {
  for (let told = false; ; told = true) {
    const { release, owner } = await tryLock(file);
    if (release) return release;
    if (!told) onWait(owner);
    await sleep(200);
  }
}

// Reading the old owner and writing the new one must not interleave with another process doing the same. Making a
// folder is atomic everywhere; whoever dies inside leaves it for five seconds.
async function alone(folder, work) {
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code === 'ENOENT') {
        mkdirSync(folder.slice(0, folder.lastIndexOf('/')), { recursive: true });
        continue;
      }
      if (error.code !== 'EEXIST') throw error;
      try {
        if (Date.now() - statSync(folder).mtimeMs > 5000) rmdirSync(folder);
      } catch {
        // Somebody was faster.
      }
      await sleep(20);
    }
  }
  try {
    return await work();
  } finally {
    try {
      rmdirSync(folder);
    } catch {
      // Taken from us after five seconds.
    }
  }
}
