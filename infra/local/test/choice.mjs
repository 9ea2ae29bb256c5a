import { Problem } from '../problem.mjs';

/**
 * Where integration tests get Postgres and Kafka: `containers` (Testcontainers), or what startSystem calls infra:
 * `embedded`, or whatever INFRA says. Throws a Problem for a TEST_INFRA that there is not.
 */
export function testInfra({ TEST_INFRA, INFRA } = process.env) {
  if (!TEST_INFRA) return INFRA || undefined;
  if (TEST_INFRA === 'embedded' || TEST_INFRA === 'containers') return TEST_INFRA;
  throw new Problem(
    `TEST_INFRA is ${TEST_INFRA}; it can be embedded (processes, the default where there is Java) or containers.`,
  );
}
