/** The address of a part that the test run has started. */
export function fromTestRun(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(
      `${name} is not set: integration tests need Postgres and Kafka. Run them by \`npm run infra:test -- <command>\``,
    );
  }
  return value;
}
