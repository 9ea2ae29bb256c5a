import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { prometheusText } from '@faultline/telemetry';
import express, { type NextFunction, type Request, type Response } from 'express';
import { door, onlyWaits, requestDeadline } from './door.js';
import type { Problem } from './problem.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A service behind a door of two. `held` are the requests it works on; `/waits` only waits. */
async function service({ delay = 0 } = {}) {
  const lag = { delay };
  const held: Response[] = [];
  const app = express();
  app.use(door({ limit: 2, longestDelay: 100 }, () => lag.delay));
  app.get('/waits', (_: Request, response: Response) => {
    onlyWaits(response);
    held.push(response);
  });
  app.get('/deadline', (_: Request, response: Response) => {
    response.json({ left: requestDeadline() - Date.now() });
  });
  app.get('/metrics', (_: Request, response: Response) => response.send('fine'));
  app.get('/work', (_: Request, response: Response) => void held.push(response));
  app.use((problem: Problem, _: Request, response: Response, __: NextFunction) => {
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response.status(problem.status).json(problem);
  });
  const listening = createServer(app).listen(0, '127.0.0.1');
  server = listening;
  await new Promise((resolve) => listening.once('listening', resolve));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const begin = async (path: string): Promise<void> => {
    const before = held.length;
    fetch(`${url}${path}`).catch(() => undefined);
    while (held.length === before) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { url, held, lag, begin, status: async (path: string) => (await fetch(`${url}${path}`)).status };
}

describe('the door', () => {
  it('refuses what is too much, with the word when to come again, and lets the next one in when one has left', async () => {
    const { url, begin, held } = await service();
    await begin('/work');
    await begin('/work');
    const refused = await fetch(`${url}/work`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ type: expect.stringMatching(/overloaded$/) });
    held[0]?.end();
    await begin('/work');
    expect(held).toHaveLength(3);
    expect(await prometheusText()).toMatch(/faultline_http_shed_total\{reason="TOO_MANY"\} \d/);
  });

  it('lets somebody in for each who went away without an answer', async () => {
    const { url, begin, held } = await service();
    await begin('/work');
    const gone = new AbortController();
    const going = fetch(`${url}/work`, { signal: gone.signal }).catch(() => undefined);
    while (held.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    gone.abort();
    await going;
    await new Promise((resolve) => setTimeout(resolve, 20));
    await begin('/work');
    expect(held).toHaveLength(3);
  });

  it('does not count those who only wait', async () => {
    const { begin, held, status } = await service();
    for (let n = 0; n < 5; n += 1) await begin('/waits');
    await begin('/work');
    await begin('/work');
    expect(held).toHaveLength(7);
    expect(await status('/waits')).toBe(503);
  });

  it('lets operators in however much is under way', async () => {
    const { begin, status, lag } = await service();
    await begin('/work');
    await begin('/work');
    lag.delay = 1000;
    expect(await status('/metrics')).toBe(200);
  });

  it('refuses while the event loop lags', async () => {
    const { status, lag, begin } = await service({ delay: 101 });
    expect(await status('/work')).toBe(503);
    lag.delay = 100;
    await begin('/work');
  });

  it('refuses what nobody waits for any more, and tells what is left to those it lets in', async () => {
    const { url } = await service();
    const ask = (remaining: string) => fetch(`${url}/deadline`, { headers: { 'x-remaining-ms': remaining } });
    const late = await ask('0');
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ type: expect.stringMatching(/expired$/) });
    expect(await prometheusText()).toMatch(/faultline_http_expired_total \d/);
    const { left } = (await (await ask('700')).json()) as { left: number };
    expect(left).toBeGreaterThan(500);
    expect(left).toBeLessThanOrEqual(700);
    // JSON has no infinity.
    for (const nothing of ['soon', '']) expect(await (await ask(nothing)).json()).toEqual({ left: null });
  });
});
