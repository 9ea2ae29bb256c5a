// npm test: everything CI knows about, on a fresh clone. The other half is test/stages.mjs.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { demandNode, install, main, runWithOwnNode } from './bootstrap.mjs';
import { Problem } from './problem.mjs';
import { testInfra } from './test/choice.mjs';

const KINDS = ['unit', 'integration', 'e2e'];
const HELP = `npm test                            build, lint, boundaries, format, types, unit, integration, e2e
npm test -- --only unit             one of: ${KINDS.join(', ')}; only what that needs
npm run test:long                   all of it: 500 kills, two replicas, every crash point and its passes, every
                                    removed guard, outages at full length. About an hour
npm test -- --help                  this

Integration tests get a Postgres and a Kafka of their own, started once per run on free ports; e2e tests start whole
systems. INFRA=embedded|docker|external as for npm start; TEST_INFRA=containers gives the integration tests containers
instead (Testcontainers). The results lie under .faultline/test-results.`;

await main(async () => {
  let values;
  try {
    ({ values } = parseArgs({
      options: { only: { type: 'string' }, long: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    }));
  } catch (error) {
    throw new Problem(`${error.message.split('. ')[0]}.\n\n${HELP}`);
  }
  if (values.help) return console.log(HELP);
  if (values.only !== undefined && !KINDS.includes(values.only))
    throw new Problem(`--only takes ${KINDS.join(', ')}, not ${values.only}.`);
  // Now, not when the tests that need it come.
  testInfra();
  demandNode();
  await install();
  return runWithOwnNode(join('test', 'stages.mjs'), values.only ? [values.only] : [], {
    env: values.long ? { FAULTLINE_LONG: '1' } : {},
  });
});
