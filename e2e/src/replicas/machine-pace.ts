import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
// What the start of an empty process takes on two cores with nothing else to do.
const usual = 60;
// Above that a limit would be none.
const slowest = 4;

async function probe(): Promise<number> {
  const begun = performance.now();
  await run(process.execPath, ['-e', '0']);
  return performance.now() - begun;
}

/**
 * How slow the machine is while something is measured, by what it takes to start a process: a limit in seconds means
 * little where others keep every core busy. Probes from now on until it is asked.
 */
export async function machinePace(): Promise<{ slowness(): Promise<number> }> {
  const probes = [await probe()];
  return {
    async slowness() {
      for (let n = 0; n < 3; n += 1) probes.push(await probe());
      return Math.min(slowest, Math.max(1, Math.max(...probes) / usual));
    },
  };
}
