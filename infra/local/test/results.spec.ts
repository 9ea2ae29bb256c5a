import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closingLine, countResults } from './results.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-results-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const result = (passed: number, failed = 0, broken = 0, pending = 0): string =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numRuntimeErrorTestSuites: broken,
    numPendingTests: pending,
    numTodoTests: 0,
  });

describe('the sum of the tests', () => {
  it('adds up every project of the kind, and no other kind', () => {
    writeFileSync(join(folder, 'order.unit.json'), result(3, 1, 0, 2));
    writeFileSync(join(folder, 'saga.unit.json'), result(4));
    writeFileSync(join(folder, 'saga.integration.json'), result(100));
    expect(countResults(folder, 'unit', ['order', 'saga'])).toMatchObject({
      passed: 7,
      failed: 1,
      skipped: 2,
    });
  });

  it('counts a file that could not be run', () => {
    writeFileSync(join(folder, 'order.unit.json'), result(0, 0, 1));
    expect(countResults(folder, 'unit', ['order']).failed).toBe(1);
  });

  it('counts a project that left no result, or half of one', () => {
    writeFileSync(join(folder, 'order.unit.json'), '{"numPassed');
    expect(countResults(folder, 'unit', ['order', 'saga'])).toMatchObject({
      failed: 2,
      missing: ['order', 'saga'],
    });
  });

  it('is said in one line', () => {
    expect(closingLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
    expect(closingLine({ passed: 12, failed: 1, skipped: 3 })).toBe('12 passed, 1 failed, 3 skipped');
  });
});
