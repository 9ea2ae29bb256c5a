import { describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';

describe('a group commit', () => {
  it('lets what arrives during a commit share the next one', async () => {
    const groups: number[][] = [];
    const commits = new GroupCommit<number, number>(
      async (items) => {
        groups.push([...items]);
        await new Promise((resolve) => setImmediate(resolve));
        return items.map((item) => ({ answer: item * 10 }));
      },
      { atMost: 64 },
    );
    const first = commits.add(1);
    while (groups.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const rest = [commits.add(2), commits.add(3)];
    expect(await Promise.all([first, ...rest])).toEqual([10, 20, 30]);
    expect(groups).toEqual([[1], [2, 3]]);
  });

  it('lingers when many wait, so that those who come meanwhile go with them, and not for a few', async () => {
    const sizes: number[] = [];
    const commits = new GroupCommit<number, number>(
      async (items) => {
        sizes.push(items.length);
        return items.map((item) => ({ answer: item }));
      },
      { atMost: 64, linger: { above: 2, milliseconds: 20 } },
    );
    const few = [1, 2].map((item) => commits.add(item));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sizes).toEqual([2]);
    const many = [3, 4, 5].map((item) => commits.add(item));
    await new Promise((resolve) => setTimeout(resolve, 1));
    many.push(commits.add(6));
    await Promise.all([...few, ...many]);
    expect(sizes).toEqual([2, 4]);
  });

  it('takes no more than its limit at once', async () => {
    const sizes: number[] = [];
    const commits = new GroupCommit<number, number>(
      async (items) => {
        sizes.push(items.length);
        return items.map((item) => ({ answer: item }));
      },
      { atMost: 2 },
    );
    await Promise.all([1, 2, 3, 4, 5].map((item) => commits.add(item)));
    expect(sizes).toEqual([2, 2, 1]);
  });

  it('fails one item without its neighbours, and all when the commit fails', async () => {
    const commits = new GroupCommit<string, string>(
      async (items) => {
        if (items.includes('fatal')) throw new Error('nothing was committed');
        return items.map((item) => (item === 'bad' ? { error: new Error('bad item') } : { answer: item }));
      },
      { atMost: 64 },
    );
    const [good, bad] = await Promise.allSettled([commits.add('good'), commits.add('bad')]);
    expect(good).toMatchObject({ status: 'fulfilled', value: 'good' });
    expect(bad).toMatchObject({ status: 'rejected', reason: new Error('bad item') });
    const failed = await Promise.allSettled([commits.add('fatal'), commits.add('good')]);
    expect(failed.map((each) => each.status)).toEqual(['rejected', 'rejected']);
    expect(await commits.add('after')).toBe('after');
  });
});
