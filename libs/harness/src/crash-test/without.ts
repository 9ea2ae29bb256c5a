import { Problem } from '@faultline/local/system';
import { type Invariant, invariants } from '../audit/verdict.js';
import { demonstrate, type Guard, guards } from '../guards/index.js';
import { judged } from '../guards/table.js';

/** The guard of that name. Throws a Problem that lists them when there is none. */
export function guardNamed(name: string): Guard {
  const found = guards.find((guard) => guard.name === name);
  if (found) return found;
  const names = guards.map((guard) => `  ${guard.name}`).join('\n');
  throw new Problem(`There is no guard ${name}. What can be taken out:\n${names}`);
}

/**
 * Runs the guard's schedule, with the guard and without it, in a system of its own: a crash at random would hit its
 * moment once in a thousand times. Answers the exit code: 1 when one of the guard's invariants broke without it, as it
 * must; 2 when that was not shown; 130 when `ended` came first.
 */
export async function withoutGuard(
  guard: Guard,
  ended: Promise<'ended'>,
  write: (line: string) => void,
): Promise<number> {
  write(
    `without ${guard.name}: ${guard.protections.map(({ what }) => what).join(' and ')}, in ${guard.where}`,
  );
  write(`schedule: ${guard.schedule}`);
  const begun = performance.now();
  const demonstration = await demonstrate(guard, ended, (line) =>
    write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  );
  if (demonstration === 'ended') return 130;
  const { withGuard, without } = demonstration;
  write('');
  write(`with the guard:    ${withGuard.length === 0 ? 'every invariant holds' : ''}`);
  for (const line of broken(withGuard)) write(line);
  write(`without the guard: ${without.length === 0 ? 'every invariant holds' : ''}`);
  for (const line of broken(without)) write(line);
  const shown = judged(guard, demonstration);
  if (shown.verdict === 'shown') return 1;
  write(`\nNOT SHOWN: ${shown.because}`);
  return 2;
}

/** Findings by invariant, with up to five rows of each. */
export function broken(findings: readonly string[]): string[] {
  const groups = Map.groupBy(findings, (finding) => finding.split(':', 1)[0] ?? '');
  return [...groups].flatMap(([letter, rows]) => [
    `BROKEN  ${letter}  ${invariants[letter as Invariant] ?? ''}`,
    ...rows.slice(0, 5).map((row) => `             ${row.slice(letter.length + 2)}`),
    ...(rows.length > 5 ? [`             and ${rows.length - 5} more`] : []),
  ]);
}
