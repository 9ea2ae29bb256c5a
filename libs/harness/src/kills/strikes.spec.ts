import { describe, expect, it } from '@jest/globals';
import { eventually } from '@faultline/testing';
import type { ProcessName, System } from '../system.js';
import type { Strike } from './plan.js';
import type { OpenOrders } from './recovery.js';
import { Strikes } from './strikes.js';

/** Processes that die of SIGKILL and SIGTERM at once and come back when they are told to, and what was done to them. */
class FakeSystem {
  readonly did: string[] = [];
  readonly #down = new Map<string, () => void>();
  readonly #waiting = new Map<string, (() => void)[]>();

  process(name: ProcessName) {
    return {
      isRunning: !this.#down.has(name),
      exited: new Promise<void>((resolve) => {
        if (this.#down.has(name)) resolve();
        else this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
      }),
      kill: (signal: string) => {
        this.did.push(`${signal} ${name}`);
        this.#down.set(name, () => undefined);
        for (const exited of this.#waiting.get(name) ?? []) exited();
        return true;
      },
    };
  }
  replicas(service: string): string[] {
    return [service];
  }
  freeze(name: string): void {
    this.did.push(`freeze ${name}`);
  }
  thaw(name: string): void {
    this.did.push(`thaw ${name}`);
  }
  async whenReady({ names: [name = ''] }: { readonly names: readonly string[] }): Promise<void> {
    await eventually(() => expect(this.#down.has(name.replace(/-1$/, ''))).toBe(false), {
      within: 1000,
    });
  }
  bringBack(name: string): void {
    this.#down.delete(name);
  }
}

const strike = (targets: readonly ProcessName[], more: Partial<Strike> = {}): Strike => ({
  after: 1,
  targets,
  signal: 'SIGKILL',
  frozenFor: 0,
  againAfter: null,
  ...more,
});
const undecided = new Set(['o']);
function begin(plan: readonly Strike[]) {
  const system = new FakeSystem();
  const ending = new AbortController();
  let decide = (): void => undefined;
  const decided = new Promise<void>((resolve) => (decide = resolve));
  const orders = { undecided, decided: () => decided } as unknown as OpenOrders;
  const strikes = new Strikes({ system: system as unknown as System, orders, plan, signal: ending.signal });
  return { system, ending, strikes, decide, run: strikes.run() };
}

describe('strikes', () => {
  it('end a process and tell when it was ready and its orders decided', async () => {
    const { system, strikes, decide, run } = begin([strike(['order'])]);
    await run;
    expect(strikes.struck).toMatchObject({ kills: 1, freezes: 0 });
    expect(strikes.struck.recoveries).toEqual([
      { process: 'order', signal: 'SIGKILL', strike: 1, at: expect.any(Number), inFlight: 1 },
    ]);
    system.bringBack('order');
    await eventually(() => expect(strikes.struck.recoveries[0]?.ready).toBeGreaterThanOrEqual(0));
    expect(strikes.struck.recoveries[0]?.decided).toBeUndefined();
    decide();
    await strikes.recovered(5000);
    expect(strikes.struck.recoveries[0]?.decided).toBeGreaterThanOrEqual(0);
    expect(strikes.struck.outages).toHaveLength(1);
  });

  it('hit two at once', async () => {
    const { system, strikes, run } = begin([strike(['order', 'payment'])]);
    await run;
    expect(system.did).toEqual(['SIGKILL order', 'SIGKILL payment']);
    expect(strikes.struck.kills).toBe(2);
  });

  it('hit nothing that is down: they wait until it is back', async () => {
    const { system, strikes } = begin([strike(['order']), strike(['order'])]);
    await eventually(() => expect(strikes.struck.kills).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(strikes.struck.kills).toBe(1);
    system.bringBack('order');
    await eventually(() => expect(strikes.struck.kills).toBe(2));
  });

  it('hit a process again in the middle of its recovery', async () => {
    const { system, strikes, run } = begin([strike(['inventory'], { againAfter: 5 })]);
    await eventually(() => expect(strikes.struck.kills).toBe(1));
    system.bringBack('inventory');
    await run;
    expect(system.did).toEqual(['SIGKILL inventory', 'SIGKILL inventory']);
    expect(strikes.struck.kills).toBe(2);
  });

  it('wait while most of the system is still down', async () => {
    const { system, strikes, run } = begin([strike(['order', 'payment']), strike(['inventory'])]);
    await eventually(() => expect(strikes.struck.kills).toBe(2));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(strikes.struck.kills).toBe(2);
    system.bringBack('order');
    await run;
    expect(strikes.struck.kills).toBe(3);
  });

  it('freeze a process and let it go on, which ends nothing', async () => {
    const { system, strikes, decide, run } = begin([
      strike(['payment'], { signal: 'SIGSTOP', frozenFor: 20 }),
    ]);
    await run;
    decide();
    await eventually(() => expect(system.did).toEqual(['freeze payment', 'thaw payment']));
    await eventually(() => expect(strikes.struck.recoveries[0]?.decided).toBeGreaterThanOrEqual(0));
    expect(strikes.struck).toMatchObject({ kills: 0, freezes: 1 });
  });

  it('end at once when it is enough, and leave nothing frozen', async () => {
    const { system, ending, strikes, run } = begin([
      strike(['payment'], { signal: 'SIGSTOP', frozenFor: 60_000 }),
      strike(['order'], { after: 60_000 }),
    ]);
    await eventually(() => expect(system.did).toEqual(['freeze payment']));
    ending.abort();
    await run;
    await eventually(() => expect(system.did).toEqual(['freeze payment', 'thaw payment']));
    expect(strikes.struck.kills).toBe(0);
  });

  it('are patient anew when a process is struck again before it was ready', async () => {
    const { system, strikes, decide, run } = begin([strike(['order'], { againAfter: 1 })]);
    const looks: ((failure?: Error) => void)[] = [];
    system.whenReady = () =>
      new Promise((resolve, reject) => looks.push((failure) => (failure ? reject(failure) : resolve())));
    await eventually(() => expect(looks).toHaveLength(1));
    system.bringBack('order');
    await run;
    expect(strikes.struck.kills).toBe(2);
    looks[0]?.(new Error('too late for the first strike'));
    await eventually(() => expect(looks).toHaveLength(2));
    looks[1]?.();
    decide();
    await strikes.recovered(5000);
    expect(strikes.struck.lost).toEqual([]);
    expect(strikes.struck.recoveries.map(({ ready }) => typeof ready)).toEqual(['number', 'number']);
  });

  it('name what did not come back', async () => {
    const { system, strikes, decide, run } = begin([strike(['order'])]);
    system.whenReady = () => Promise.reject(new Error('order did not become ready'));
    await run;
    decide();
    await strikes.recovered(5000);
    expect(strikes.struck.lost).toEqual(['order did not become ready']);
  });
});
