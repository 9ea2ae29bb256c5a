import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { patched } from '../patching/patch.js';
import { guards } from './index.js';
import { unshown } from './unshown.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const built = (file: string): string => readFileSync(`${root}${file}`, 'utf8');

describe('the guards', () => {
  it('have names of their own', () => {
    const names = guards.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each(guards.map((guard) => ({ guard, name: guard.name })))(
    '$name: each patch fits the present build exactly once, and the guard is in the file that is named',
    ({ guard: { where, instruments = [], protections } }) => {
      const patches = [...instruments, ...protections.flatMap((protection) => protection.patches)];
      for (const file of new Set(patches.map((patch) => patch.file)))
        expect(patched(file, built(file), patches)).not.toBe(built(file));
      expect(built(where)).not.toBe('');
    },
  );

  it.each(unshown)('$name, which nothing turns red, is in the file that is named', ({ where }) => {
    expect(built(where)).not.toBe('');
  });
});
