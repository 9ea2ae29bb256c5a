import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Problem } from '@faultline/local/system';
import { draw } from '../trace/draw.js';
import { findTrace, type Found } from '../trace/find.js';
import { layOut } from '../trace/layout.js';
import { treeOf } from '../trace/tree.js';

const help = `npm run trace -- <orderId>          draws the order's trace as a waterfall
npm run trace -- <orderId> --json   the spans and the journal as JSON

The services of a local system keep their last spans in files: ten to twenty minutes while there is traffic, and at most
64 MB of each service. They are read from there: no backend is needed, and the services may be down. The journal is
asked of the order service, when it answers.

  --folder <folder>  of another system (.faultline; FAULTLINE_FOLDER)
  --order <url>      of its order service (http://127.0.0.1:3001; ORDER_PORT)
  --json             for other programs
  --help             this

⤺ linked to what sent it   #2 second attempt   ≈ folded time   ✗ failed   ? its parent was not kept`;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** `npm run trace`: answers the exit code; throws a Problem for what the person in front can mend. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [given, ...more] = positionals;
  if (given === undefined || more.length > 0)
    throw new Problem(`Name one order: npm run trace -- <orderId>\n\n${help}`);
  const orderId = given.toLowerCase();
  if (!uuid.test(orderId))
    throw new Problem(
      `${given} is no order id. An order id is a UUID, as POST /orders answers it: 01990000-0000-7000-8000-000000000000`,
    );
  const folder = values.folder ?? (process.env['FAULTLINE_FOLDER'] || join(root, '.faultline'));
  const found = await findTrace(orderId, {
    folder: join(folder, 'traces'),
    url: (values.order ?? `http://127.0.0.1:${process.env['ORDER_PORT'] || 3001}`).replace(/\/$/, ''),
  });
  const text = values.json ? JSON.stringify(asJson(found), null, 2) : asText(found).join('\n');
  // Whole, before the process ends: a pipe takes 64 KiB at a time.
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
  return 0;
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        folder: { type: 'string' },
        order: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message.split('. ')[0] : String(error)}.\n\n${help}`);
  }
}

function asText({ orderId, traceId, spans, order, journal, unanswered }: Found): string[] {
  const { isTTY, columns } = process.stdout;
  const colour = isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  const width = columns ?? Number(process.env['COLUMNS'] || 140);
  const services = new Set(spans.map(({ service }) => service)).size;
  const state = order
    ? `  ${order.status}/${order.settlement}${order.rejection ? ` ${order.rejection.reason}` : ''}`
    : '';
  const silent =
    unanswered.length === 3
      ? ['The order service does not answer: there is no journal here.']
      : unanswered.map((service) => `The journal of ${service} is missing: it does not answer.`);
  return [
    `order ${orderId}${state}`,
    `trace ${traceId}  ${spans.length} spans of ${services} ${services === 1 ? 'service' : 'services'}`,
    '',
    ...draw(layOut(spans, journal, Math.max(40, width)), { colour }),
    ...silent,
  ];
}

function asJson({ orderId, traceId, spans, order, journal, unanswered }: Found): object {
  return {
    orderId,
    traceId,
    order,
    spans: [...spans].sort((a, b) => a.start - b.start),
    orphans: treeOf(spans).orphans.map(({ span }) => span.spanId),
    journal,
    unanswered,
  };
}
