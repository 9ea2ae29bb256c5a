// npm run infra:test -- <command>: Postgres and Kafka on free ports, the command with their addresses, then both end.
import { join } from 'node:path';
import { demandNode, install, main, runWithOwnNode } from './bootstrap.mjs';
import { Problem } from './problem.mjs';

await main(async () => {
  const command = process.argv.slice(2);
  if (command.length === 0 || command[0] === '--help') {
    const usage =
      'npm run infra:test -- <command>   runs the command beside a Postgres and a Kafka of its own,\nwith TEST_POSTGRES_URL and TEST_KAFKA_BROKERS set.';
    if (command.length === 0) throw new Problem(usage);
    return console.log(usage);
  }
  demandNode();
  await install();
  return runWithOwnNode(join('test', 'beside-infrastructure.mjs'), command);
});
