// The bare case: a process of its own, so that its CPU time is its own. Told by message what to run; ends with its parent.
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { BareOrders } from './bare-orders.js';
import { runLoop, type Loop } from './loops.js';
import { ordersFrom } from './orders.js';

const [server] = process.argv.slice(2);
if (!server) throw new Error('the address of the server is missing');
const orders = new BareOrders(server);

process.on('message', (loop: Loop) => {
  const next = ordersFrom(loop.seed);
  runLoop(loop, () => orders.place(next())).then(
    (measured) => process.send?.({ ...measured, latency: encodeIntoCompressedBase64(measured.latency) }),
    (error: unknown) => {
      process.stderr.write(`bare: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => void orders.close().then(() => process.exit(0)));
