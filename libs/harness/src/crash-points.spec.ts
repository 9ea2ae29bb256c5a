import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { crashPointPatches, crashPoints } from './crash-points.js';
import { patched } from './patching/patch.js';

const built = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${file}`, import.meta.url)), 'utf8');

describe('the crash points', () => {
  it.each([...new Set(crashPointPatches.map(({ file }) => file))])('of %s fit what is built', (file) => {
    const source = patched(file, built(file), crashPointPatches);
    for (const { name, patch } of crashPoints)
      if (patch.file === file) expect(source.split(`faultlineCrashPoint('${name}')`)).toHaveLength(2);
  });

  it('have names of their own, and each a pass that hits it', () => {
    expect(new Set(crashPoints.map(({ name }) => name)).size).toBe(crashPoints.length);
    expect(crashPoints.filter(({ passes }) => passes.length === 0)).toEqual([]);
  });
});
