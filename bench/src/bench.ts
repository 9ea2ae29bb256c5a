/** Prints the speed of Faultline beside plain SQL. */
export async function run(): Promise<number> {
  await Promise.resolve();
  throw new Error('not measured yet');
}
