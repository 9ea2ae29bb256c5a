import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Adds up what Jest wrote: { passed, failed, skipped }. A test file that could not be run has no failed test and counts
 * as one. Every project in `expected` must have left a result: one without counts as a failure.
 */
export function countResults(folder, kind, expected) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const files = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(`.${kind}.json`))
    : [];
  const missing = new Set(expected);
  const unreadable = [];
  for (const name of files) {
    try {
      const result = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      counts.passed += result.numPassedTests;
      counts.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
      counts.skipped += result.numPendingTests + result.numTodoTests;
      missing.delete(name.slice(0, -`.${kind}.json`.length));
    } catch {
      unreadable.push(name);
    }
  }
  counts.failed += missing.size;
  return { ...counts, missing: [...missing], unreadable };
}

/** The line that ends a run; whoever reads the run looks for it. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
