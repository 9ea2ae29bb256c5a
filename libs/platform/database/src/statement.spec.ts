import { describe, expect, it } from '@jest/globals';
import { databaseClock, type Part, partsWithRows, readTogether, writeTogether } from './statement.js';

const part = (name: string, text: string, ...values: unknown[]): Part => ({ name, text, values });

describe('parts that travel as one statement', () => {
  it('numbers the parameters of each part on from those of the parts before', () => {
    const { text, values } = writeTogether([
      part('shift-a', 'INSERT INTO a VALUES ($1, $2) RETURNING 1', 'a1', 'a2'),
      part('shift-b', 'DELETE FROM b WHERE x = $2 AND y = $1 AND z = $2 RETURNING 1', 'b1', 'b2'),
    ]);
    expect(text).toContain('INSERT INTO a VALUES ($1, $2)');
    expect(text).toContain('x = $4 AND y = $3 AND z = $4');
    expect(values).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  it('shifts a two-digit parameter as one number', () => {
    const many = Array.from({ length: 12 }, (_, index) => index);
    const { text } = writeTogether([
      part('digits-a', 'SELECT $1', 0),
      part('digits-b', 'SELECT $1, $10, $12', ...many),
    ]);
    expect(text).toContain('SELECT $2, $11, $13');
  });

  it('counts the rows of each write under its name', () => {
    const { text } = writeTogether([part('counted', 'DELETE FROM a RETURNING 1')]);
    expect(text).toContain('(SELECT count(*) FROM "counted")::int AS "counted"');
  });

  it('leaves out the writes that are about no rows', () => {
    const rows = part('some', 'INSERT', 'consumer', ['a'], [null]);
    const none = part('none', 'INSERT', 'consumer', [], []);
    const always = part('always', 'DELETE', 24);
    expect(partsWithRows([none, rows, always, none])).toEqual([rows, always]);
  });

  it('answers the rows of each read as an array, empty when there are none', () => {
    const { text } = readTogether([databaseClock]);
    expect(text).toContain(`(SELECT coalesce(json_agg("clock"), '[]'::json) FROM "clock") AS "clock"`);
  });

  it('gives one combination of parts one name, and another combination or order another', () => {
    const a = part('named-a', 'SELECT $1', 1);
    const b = part('named-b', 'SELECT $1', 2);
    const first = writeTogether([a, b]);
    expect(writeTogether([{ ...a, values: [3] }, b]).name).toBe(first.name);
    expect(writeTogether([{ ...a, values: [3] }, b]).values).toEqual([3, 2]);
    expect(writeTogether([b, a]).name).not.toBe(first.name);
    expect(writeTogether([a]).name).not.toBe(first.name);
    expect(readTogether([a, b]).name).not.toBe(first.name);
  });
});
