// npm run <command>: installs and builds what is missing, then runs the command on the project's own Node. The other half
// is run-command.mjs.
import { demandNode, install, main, runWithOwnNode } from './bootstrap.mjs';

await main(async () => {
  demandNode();
  await install();
  return runWithOwnNode('run-command.mjs', process.argv.slice(2), { flags: [] });
});
