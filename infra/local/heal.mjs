// npm run heal: what npm run fault has broken is whole again.
import { parseArgs } from 'node:util';
import { main } from './bootstrap.mjs';
import { access, heal } from './faults.mjs';
import { Problem } from './problem.mjs';

const HELP = `npm run heal            ends every fault in every app
npm run heal -- <app>   in every replica of order, payment, inventory or payment-gateway; order-2 is one replica

A paused process cannot be told: its pause ends by itself. npm run fault -- --list shows what runs.`;

await main(async () => {
  const { help, app } = options();
  if (help) return console.log(HELP);
  const { lines, complete } = await heal(app, access());
  console.log(lines.join('\n'));
  return complete ? 0 : 1;
});

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' } },
    });
    if (positionals.length > 1) throw new Error('Name one app, or none');
    return { help: values.help, app: positionals[0] };
  } catch (error) {
    throw new Problem(`${error.message.split('. ')[0]}.\n\n${HELP}`);
  }
}
