// The half of command.mjs that runs on the project's own Node. A command is a module that exports
// run(args): it answers the exit code, and throws a Problem for what the person in front can mend.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { followStarter, main } from './bootstrap.mjs';
import { build } from './build.mjs';
import { Problem } from './problem.mjs';
import { createProgress } from './progress.mjs';
import { root } from './root.mjs';
import { GATEWAY, SERVICES } from './services.mjs';

const COMMANDS = {
  'crash-test': { project: 'harness', module: 'libs/harness/dist/commands/crash-test.js' },
  guards: { project: 'harness', module: 'libs/harness/dist/commands/guards.js' },
  load: { project: 'harness', module: 'libs/harness/dist/commands/load.js' },
  audit: { project: 'harness', module: 'libs/harness/dist/commands/audit.js' },
  demo: { project: 'harness', module: 'libs/harness/dist/commands/demo.js' },
  trace: { project: 'harness', module: 'libs/harness/dist/commands/trace.js' },
  bench: { project: 'bench', module: 'bench/dist/bench.js' },
};

await main(async () => {
  const [name, ...args] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (!command) throw new Problem(`There is no command ${name}: ${Object.keys(COMMANDS).join(', ')}.`);
  followStarter(() => process.kill(process.pid, 'SIGTERM'));
  const asksForHelp = args.includes('--help') || args.includes('-h');
  // What another program reads must be nothing but the answer.
  const quiet = asksForHelp || args.includes('--json');
  await createProgress({ quiet }).step('Build', (say) =>
    build([command.project, ...(asksForHelp ? [] : [...SERVICES, GATEWAY])], { say }),
  );
  const { run } = await import(pathToFileURL(join(root, command.module)).href);
  return run(args);
});
process.exit(process.exitCode);
