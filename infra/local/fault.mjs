// npm run fault: something breaks, in the running services, until it ends by itself or npm run heal ends it.
import { main } from './bootstrap.mjs';
import { HELP, readFault } from './fault-options.mjs';
import { access, inject, listed, offered } from './faults.mjs';

await main(async () => {
  const { help, list, app, name, body } = readFault(process.argv.slice(2));
  if (help) return console.log(HELP);
  const how = access();
  if (!list && !body) return console.log((await offered(app, how)).join('\n'));
  const { lines, complete } = list ? await listed(app, how) : await inject(app, name, body, how);
  console.log(lines.join('\n'));
  return complete ? 0 : 1;
});
