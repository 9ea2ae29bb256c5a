import { describe, expect, it } from '@jest/globals';
import { patched } from './patch.js';

const patch = { file: 'a.js', find: 'await save();', replace: '' };

describe('a patch', () => {
  it('replaces its place, taken literally', () => {
    expect(patched('a.js', 'lock(); await save(); $', [{ ...patch, replace: "'$&'" }])).toBe(
      "lock(); '$&' $",
    );
  });

  it('leaves other files alone', () => {
    expect(patched('b.js', 'await save();', [patch])).toBe('await save();');
  });

  it.each(['nothing here', 'await save(); await save();'])(
    'that does not fit once is refused: %s',
    (source) => {
      expect(() => patched('a.js', source, [patch])).toThrow(/fits \d times, not once/);
    },
  );
});
