// node fetch-without-maven.cjs <folder of node_modules> <jars.lock.json> <repository to fill>
const { writeFileSync, readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');

const [folder, lock, localRepository] = process.argv.slice(2);
const installed = createRequire(join(folder, 'package.json'));
const main = installed.resolve('@cubejs-backend/node-java-maven');
// The package reads every answer as text, which ruins a jar; as bytes both jars and descriptions arrive whole.
createRequire(main)('axios').defaults.responseType = 'arraybuffer';

const dependencies = JSON.parse(readFileSync(lock, 'utf8')).jars.map(({ artifact }) => {
  const [groupId, artifactId, version] = artifact.split(':');
  return { groupId, artifactId, version };
});
const packageJsonPath = join(folder, 'java.json');
writeFileSync(packageJsonPath, JSON.stringify({ java: { dependencies } }));
// More than one at a time trips over its own unfinished descriptions.
installed('@cubejs-backend/node-java-maven')(
  { packageJsonPath, localRepository, concurrency: 1 },
  (error) => {
    if (!error) return;
    console.error(Array.isArray(error) ? error.map(String).join('\n') : String(error));
    process.exit(1);
  },
);
