import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-disturbances-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a process says of its time when its clock is so wrong from the start. */
async function timesOf(clockAheadMs: number): Promise<Record<string, number>> {
  const file = join(folder, `${clockAheadMs}.json`);
  writeFileSync(file, JSON.stringify({ nth: 1, clockAheadMs, blockMs: 60_000 }));
  const child = spawn(
    process.execPath,
    [
      '--import',
      new URL('../dist/disturbed.js', import.meta.url).href,
      '--eval',
      `const date = new Date();
       console.log(JSON.stringify({
         now: Date.now(), date: date.getTime(), text: Date.parse(Date()), made: new date.constructor().getTime(),
         given: new Date(5).getTime(), isDate: Number(date instanceof Date && new Date(2020, 1) instanceof Date),
         monotonic: performance.now(), wall: performance.timeOrigin + performance.now(),
       }))`,
    ],
    { env: { ...process.env, FAULTLINE_DISTURBANCE: file }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  await once(child, 'close');
  return JSON.parse(said) as Record<string, number>;
}

describe('a clock that goes wrong', () => {
  it.each([900_000, 0, -900_000])('is so in every way a process can read it: %d ms', async (ahead) => {
    const { now = 0, date = 0, text = 0, made = 0, wall = 0, ...others } = await timesOf(ahead);
    for (const time of [now, date, text, made, wall])
      expect(Math.abs(time - Date.now() - ahead)).toBeLessThan(60_000);
    expect(others).toEqual({ given: 5, isDate: 1, monotonic: expect.any(Number) });
    expect(others['monotonic']).toBeLessThan(60_000);
  });
});
