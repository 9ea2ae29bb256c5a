import { type Client, judge, type Observation, type System, verdictLines } from '@faultline/harness';
import { expect } from '@jest/globals';

/** Fails with every row that breaks an invariant, and prints the verdict then. */
export async function everyInvariantHolds(
  system: System,
  client: Client,
  observation: Observation,
): Promise<void> {
  const verdicts = await judge(system, client, observation);
  const broken = verdicts.filter(({ holds }) => !holds);
  if (broken.length > 0)
    process.stderr.write(
      `${verdictLines(verdicts)
        .map((line) => `    ${line}`)
        .join('\n')}\n`,
    );
  expect(broken.flatMap(({ invariant, rows }) => rows.map((row) => `${invariant}: ${row}`))).toEqual([]);
}
