import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { tryLock } from './lock.mjs';
import { endLeftOver, isAlive, readPidFile, recordOf, writePidFile } from './processes.mjs';
import { Supervised } from './supervised.mjs';

let folder: string;
let bystander: ChildProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-processes-'));
  bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(bystander, 'spawn');
});
afterEach(() => {
  bystander.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const pidOf = (child: ChildProcess): number => child.pid ?? 0;

describe('a pid file', () => {
  it('ends the process that an earlier run left', async () => {
    const file = join(folder, 'left.pid');
    writePidFile(file, recordOf('left', pidOf(bystander)));
    const gone = once(bystander, 'exit');
    expect(await endLeftOver(file)).toBe(true);
    await gone;
    expect(existsSync(file)).toBe(false);
  });

  it('leaves alone a process that came to have the same pid', async () => {
    const file = join(folder, 'left.pid');
    const record = recordOf('left', pidOf(bystander));
    writePidFile(file, { ...record, started: 'long before' });
    expect(await endLeftOver(file)).toBe(false);
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
    expect(existsSync(file)).toBe(false);
  });

  it('leaves alone a process with another command line', async () => {
    const file = join(folder, 'left.pid');
    writePidFile(file, { ...recordOf('left', pidOf(bystander)), command: '/usr/bin/kafka' });
    expect(await endLeftOver(file)).toBe(false);
    expect(bystander.signalCode).toBeNull();
  });

  it('that holds nonsense ends nothing', async () => {
    const file = join(folder, 'left.pid');
    for (const nonsense of ['', 'null', '{"pid":1}', '{"pid":"x"}', '17']) {
      writeFileSync(file, nonsense);
      expect(readPidFile(file)).toBeNull();
      expect(await endLeftOver(file)).toBe(false);
    }
  });

  it('knows that a process ended', async () => {
    const record = recordOf('left', pidOf(bystander));
    expect(isAlive(record)).toBe(true);
    const gone = once(bystander, 'exit');
    bystander.kill('SIGKILL');
    await gone;
    expect(isAlive(record)).toBe(false);
  });
});

describe('a lock', () => {
  it('is refused while its owner lives, and names it', async () => {
    const file = join(folder, 'run', 'x.pid');
    writePidFile(file, recordOf('owner', pidOf(bystander)));
    expect((await tryLock(file)).owner).toMatchObject({ pid: bystander.pid });
  });

  it('is taken from a dead owner, and given back', async () => {
    const file = join(folder, 'run', 'x.pid');
    writePidFile(file, {
      ...recordOf('owner', pidOf(bystander)),
      started: 'before a restart of the machine',
    });
    const { release } = await tryLock(file);
    expect(readPidFile(file)).toMatchObject({ pid: process.pid });
    release?.();
    expect(existsSync(file)).toBe(false);
  });
});

describe('a supervised process', () => {
  it('is started again when it dies, and not when it was stopped', async () => {
    const heard: string[] = [];
    let restarted = (): void => undefined;
    const again = new Promise<void>((resolve) => (restarted = resolve));
    const one = new Supervised({
      name: 'one',
      log: join(folder, 'one.log'),
      pidFile: join(folder, 'one.pid'),
      prepare: async () => ({ command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] }),
      tell: ({ what, retryInMs }: { what: string; retryInMs?: number }) => {
        heard.push(retryInMs === undefined ? what : `${what}, again in ${retryInMs}`);
        if (what === 'restarted') restarted();
      },
    });
    await one.start();
    const first = one.pid;
    const exited = one.exited;
    one.kill();
    expect(await exited).toMatchObject({ signal: 'SIGKILL' });
    await again;
    expect(one.pid).not.toBe(first);
    expect(readPidFile(join(folder, 'one.pid'))).toMatchObject({ pid: one.pid });
    await one.stop();
    expect(one.isRunning).toBe(false);
    expect(existsSync(join(folder, 'one.pid'))).toBe(false);
    expect(heard).toEqual(['died, again in 200', 'restarted']);
  });

  it('is ended though it was frozen', async () => {
    const one = new Supervised({
      name: 'one',
      log: join(folder, 'one.log'),
      prepare: async () => ({ command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] }),
    });
    await one.start();
    one.freeze();
    await one.stop({ within: 5000 });
    expect(one.isRunning).toBe(false);
  });
});
