import { describe, expect, it } from '@jest/globals';
import { handleUntilDone, NoLongerOurs, type Handling } from './handling.js';

const handling = (
  handle: Handling['handle'],
  membership: Partial<Handling['membership']> = {},
): Handling => ({
  records: [],
  membership: { heartbeat: () => Promise.resolve(), isCurrent: () => true, ...membership },
  handle,
  signal: new AbortController().signal,
  log: undefined,
  groupId: 'group',
});

describe('a batch', () => {
  it('is repeated until its handler resolves', async () => {
    let attempts = 0;
    await handleUntilDone(
      handling(async () => {
        attempts += 1;
        if (attempts < 3) throw new Error('database away');
      }),
    );
    expect(attempts).toBe(3);
  });

  it('is not begun, and not repeated, when it is no longer ours', async () => {
    let attempts = 0;
    let current = false;
    const failing = handling(
      async () => {
        attempts += 1;
        current = false;
        throw new Error('database away');
      },
      { isCurrent: () => current },
    );
    await expect(handleUntilDone(failing)).rejects.toBeInstanceOf(NoLongerOurs);
    expect(attempts).toBe(0);
    current = true;
    await expect(handleUntilDone(failing)).rejects.toBeInstanceOf(NoLongerOurs);
    expect(attempts).toBe(1);
  });

  it('is no longer ours once a heartbeat was refused', async () => {
    const seen: boolean[] = [];
    const refused = handling(
      async (_, control) => {
        seen.push(control.isCurrent());
        await control.heartbeat().catch(() => undefined);
        seen.push(control.isCurrent());
        throw new Error('database away');
      },
      { heartbeat: () => Promise.reject(new Error('REBALANCE_IN_PROGRESS')) },
    );
    await expect(handleUntilDone(refused)).rejects.toBeInstanceOf(NoLongerOurs);
    expect(seen).toEqual([true, false]);
  });

  it('that was handled counts as handled, whatever the group did meanwhile', async () => {
    await handleUntilDone(
      handling((_, control) => control.heartbeat().catch(() => undefined), {
        heartbeat: () => Promise.reject(new Error('REBALANCE_IN_PROGRESS')),
      }),
    );
  });

  it('that waits for its next attempt does not delay a stop', async () => {
    const stopping = new AbortController();
    let attempts = 0;
    const begun = performance.now();
    await expect(
      handleUntilDone({
        ...handling(
          async () => {
            attempts += 1;
            // The fifth wait would be 800 ms.
            if (attempts === 5) setImmediate(() => stopping.abort());
            throw new Error('database away');
          },
          { isCurrent: () => !stopping.signal.aborted },
        ),
        signal: stopping.signal,
      }),
    ).rejects.toBeInstanceOf(NoLongerOurs);
    expect(performance.now() - begun).toBeLessThan(1400);
  });
});
