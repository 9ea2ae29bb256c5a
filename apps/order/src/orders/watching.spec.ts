import { describe, expect, it } from '@jest/globals';
import { anOrder } from './an-order.spec-data.js';
import { approve, isDecided } from './order.js';
import { OrderWatch } from './watching.js';

const { orderId } = anOrder();
const often = { shortest: 5, longest: 5 };
const never = { shortest: 60_000, longest: 60_000 };

describe('waiting for an order', () => {
  it('is woken by the process that decided it', async () => {
    const watch = new OrderWatch(() => Promise.resolve([]), never);
    const waiting = watch.waitFor(orderId, isDecided, 5_000);
    watch.announce([approve(anOrder(), 1)]);
    expect(await waiting).toMatchObject({ status: 'APPROVED' });
  });

  it('finds out by polling when another replica decided it, also after a poll that failed', async () => {
    let polls = 0;
    const watch = new OrderWatch(() => {
      polls += 1;
      return polls === 1 ? Promise.reject(new Error('away')) : Promise.resolve([approve(anOrder(), 1)]);
    }, often);
    expect(await watch.waitFor(orderId, isDecided, 5_000)).toMatchObject({ status: 'APPROVED' });
    expect(polls).toBe(2);
  });

  it('polls often while polls end waits, and seldom while hints do', async () => {
    const polls: number[] = [];
    let elsewhere = true;
    const watch = new OrderWatch(
      (ids) => {
        polls.push(performance.now());
        return Promise.resolve(
          ids.map((id) => (elsewhere ? approve(anOrder({ orderId: id }), 1) : anOrder({ orderId: id }))),
        );
      },
      { shortest: 10, longest: 200 },
    );
    const timed = async (id: string): Promise<number> => {
      const since = performance.now();
      await watch.waitFor(id, isDecided, 5_000);
      return performance.now() - since;
    };
    expect(await timed('first')).toBeGreaterThan(180);
    expect(await timed('second')).toBeLessThan(180);
    elsewhere = false;
    const before = polls.length;
    const here = watch.waitFor('third', isDecided, 5_000);
    while (polls.length < before + 7) await new Promise((resolve) => setImmediate(resolve));
    watch.announce([approve(anOrder({ orderId: 'third' }), 1)]);
    await here;
    expect((polls.at(-1) ?? 0) - (polls.at(-2) ?? 0)).toBeGreaterThan(180);
  });

  it('goes on waiting while the order is pending, and gives up in time', async () => {
    const watch = new OrderWatch(() => Promise.resolve([anOrder()]), often);
    expect(await watch.waitFor(orderId, isDecided, 40)).toBeNull();
  });

  it('is over at once when the one who waits has gone', async () => {
    const gone = new AbortController();
    const watch = new OrderWatch(() => Promise.resolve([]), never);
    const waiting = watch.waitFor(orderId, isDecided, 60_000, gone.signal);
    gone.abort();
    expect(await waiting).toBeNull();
    expect(await watch.waitFor(orderId, isDecided, 60_000, gone.signal)).toBeNull();
  });

  it('asks once for all who wait, and nothing while nobody waits', async () => {
    const asked: string[][] = [];
    const watch = new OrderWatch((ids) => {
      asked.push([...ids]);
      return Promise.resolve(ids.map((id) => approve(anOrder({ orderId: id }), 1)));
    }, often);
    await Promise.all([watch.waitFor('a', isDecided, 5_000), watch.waitFor('b', isDecided, 5_000)]);
    const count = asked.length;
    expect(asked[0]).toEqual(['a', 'b']);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(asked).toHaveLength(count);
  });
});
