import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { arrayLiteral } from './array-literal.js';

const { prepareValue } = createRequire(import.meta.url)('pg/lib/utils') as {
  prepareValue(value: unknown): string;
};
// What Postgres makes of both is the same; here they are compared without the quotes that it does not need.
const plain = (literal: unknown): string =>
  String(literal)
    .replaceAll(/"(-?[\d.]+)"/g, '$1')
    .toLowerCase();

describe('an array for Postgres', () => {
  it.each([
    [[]],
    [['a', 'b']],
    [['a', null, '']],
    [[1, 2.5, -3, null]],
    [['{"quoted":"\\"text\\"","path":"C:\\\\dir"}', 'back\\slash', 'a,b{c}', 'null', 'ü \u2028']],
  ])('of %j is what pg makes of it', (values) => {
    expect(plain(arrayLiteral(values))).toBe(plain(prepareValue(values)));
  });

  it.each([
    ['a control character', ['line\nbreak']],
    ['another one', ['\u0001']],
    ['half a surrogate pair', ['\ud800']],
    ['bytes', [Buffer.from('x')]],
    ['an array', [['a']]],
    ['a truth value', [true]],
    ['no number', [NaN]],
    ['infinity', [Infinity]],
  ])('with %s is left to pg', (_, values) => {
    expect(arrayLiteral(values)).toBe(values);
  });
});
