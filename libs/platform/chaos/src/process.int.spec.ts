import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually } from '@faultline/testing';
import { afterEach, beforeEach, expect, it } from '@jest/globals';

// A process of its own, from the built packages: these faults end or stop all of it.
const token = 'a-token-for-these-tests';
const program = `
import { chaosAround } from '@faultline/chaos/process';
import { createHttpApp } from '@faultline/http-server';
import { silentLog } from '@faultline/telemetry';
const log = silentLog();
const { modules, before } = chaosAround('tea', { FAULTLINE_CHAOS: 'on' }, log);
const { url } = await createHttpApp(
  { module: class Tea {}, imports: [...modules] },
  { service: 'tea', instance: 'tea-1', port: 0, host: '127.0.0.1', serviceToken: '${token}', title: 'Tea', description: '', log, before },
);
console.log(url);
`;

let child: ChildProcess;
let url: string;

beforeEach(async () => {
  child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  url = String(first).trim();
});
afterEach(() => void child.kill('SIGKILL'));

const ask = (method: string, path: string, body?: unknown, within = 5000): Promise<Response> =>
  fetch(`${url}/chaos/${path}`, {
    method,
    signal: AbortSignal.timeout(within),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const faults = async (within: number): Promise<unknown> =>
  (await ask('GET', 'faults', undefined, within)).json();

it('crash ends the process as kill -9 does, once it has answered', async () => {
  const exited = once(child, 'exit');
  expect((await ask('PUT', 'faults/end', { at: 'process', kind: 'crash' })).status).toBe(200);
  expect(await exited).toEqual([null, 'SIGKILL']);
});

it('pause stops the process, and it goes on by itself', async () => {
  const paused = await ask('PUT', 'faults/still', { at: 'process', kind: 'pause', milliseconds: 1500 });
  expect(paused.status).toBe(200);
  const began = performance.now();
  // Until the second process is there, it still answers.
  await eventually(() => expect(faults(150)).rejects.toThrow(/timeout/), { within: 1400 });
  await eventually(async () => expect(await faults(150)).toEqual({ items: [], nextCursor: null }), {
    within: 5000,
  });
  expect(performance.now() - began).toBeGreaterThan(1300);
  expect(child.exitCode).toBeNull();
});

it('block keeps it from answering', async () => {
  await ask('PUT', 'faults/busy', { at: 'process', kind: 'block', milliseconds: 800 });
  await expect(faults(300)).rejects.toThrow(/timeout/);
  expect(await faults(3000)).toEqual({ items: [], nextCursor: null });
});

it('what calls for a database, a broker or a dependency does not exist there', async () => {
  const answer = await ask('PUT', 'faults/x', { at: 'database', kind: 'error' });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    detail: expect.stringContaining(
      'there is http-in (latency, error, hang, reset), process (crash, pause, block)',
    ),
  });
});
