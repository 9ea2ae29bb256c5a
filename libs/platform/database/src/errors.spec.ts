import { describe, expect, it } from '@jest/globals';
import {
  blamesItsData,
  brokeTheConnection,
  DatabaseUnavailable,
  isSerializationConflict,
  OutcomeUnknown,
  sqlState,
} from './errors.js';

const answered = (code: string): Error => Object.assign(new Error('refused'), { severity: 'ERROR', code });
const failed = (code: string): Error => Object.assign(new Error('failed'), { code });

describe('what an error says about its transaction', () => {
  it('finds the SQLSTATE through causes, and takes no system error for one', () => {
    expect(sqlState(answered('23505'))).toBe('23505');
    expect(sqlState(new Error('step failed', { cause: answered('22P05') }))).toBe('22P05');
    expect(sqlState(failed('ECONNRESET'))).toBeUndefined();
    expect(sqlState('23505')).toBeUndefined();
  });

  it.each([
    ['22021', true],
    ['22P05', true],
    ['23505', true],
    ['40001', false],
    ['42P01', false],
    ['57P01', false],
  ])('%s blames its data: %s', (code, blamed) => {
    expect(blamesItsData(answered(code))).toBe(blamed);
  });

  it('knows deadlocks and serialization failures as conflicts', () => {
    expect(isSerializationConflict(answered('40P01'))).toBe(true);
    expect(isSerializationConflict(answered('40001'))).toBe(true);
    expect(isSerializationConflict(answered('55P03'))).toBe(false);
  });

  it.each([failed('ECONNRESET'), failed('EPIPE'), answered('57P01'), answered('08006')])(
    'takes %j for a broken connection',
    (error) => {
      expect(brokeTheConnection(error)).toBe(true);
    },
  );

  it('does not take an error of the work itself for a broken connection', () => {
    expect(brokeTheConnection(new TypeError('not a function'))).toBe(false);
    expect(brokeTheConnection(answered('23505'))).toBe(false);
  });

  it('keeps the cause', () => {
    const cause = failed('ECONNRESET');
    expect(new OutcomeUnknown(cause).cause).toBe(cause);
    expect(new DatabaseUnavailable(cause)).toMatchObject({ cause, retriable: true });
  });
});
