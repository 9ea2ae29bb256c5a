import { DatabaseUnavailable, OutcomeUnknown } from '@faultline/database';
import { describe, expect, it } from '@jest/globals';
import { problemOf } from './problem-of.js';

const refusedBy = (code: string): Error => Object.assign(new Error('refused'), { severity: 'ERROR', code });

describe('what a client is told of a database error', () => {
  it.each(['53100', '53300', '57014', '57P01', '40001', '40P01', '25006', '55P03', '42P01'])(
    'is 503 with Retry-After for SQLSTATE %s: nothing was changed, and it may pass',
    (state) => {
      expect(problemOf(refusedBy(state))).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    },
  );

  it('is 503 when it cannot be reached, through Prisma, too', () => {
    expect(problemOf(new DatabaseUnavailable(new Error('away')))).toMatchObject({ status: 503 });
    const byPrisma = Object.assign(new Error("Can't reach database server"), { code: 'P1001' });
    expect(problemOf(new Error('query failed', { cause: byPrisma }))).toMatchObject({ status: 503 });
  });

  it('is 503 when it is frozen and a reader gave up, through Prisma, too', () => {
    const gaveUp = new Error('Query read timeout');
    expect(problemOf(gaveUp)).toMatchObject({ status: 503 });
    expect(problemOf(new Error('query failed', { cause: gaveUp }))).toMatchObject({ status: 503 });
  });

  it('is outcome-unknown, and never 503, when the connection broke while committing', () => {
    const problem = problemOf(new OutcomeUnknown(new Error('reset')));
    expect(problem?.status).toBe(500);
    expect(problem?.toJSON()['type']).toMatch(/outcome-unknown$/);
  });

  it('is nothing for what nobody expected: 22P02, 23505, a bug', () => {
    for (const error of [refusedBy('22P02'), refusedBy('23505'), new TypeError('undefined is not')]) {
      expect(problemOf(error)).toBeNull();
    }
  });
});
