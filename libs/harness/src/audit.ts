import { InventoryAudit, OrderAudit, PaymentAudit, Timeline } from '@faultline/contracts';
import { eventually } from '@faultline/testing';
import { z } from 'zod';
import type { Client } from './client.js';
import { send } from './http.js';
import { SERVICES, type System } from './system.js';

/** What the demo data put there before anybody ordered. */
const demoStock: Readonly<Record<string, number>> = {
  'tea-green': 10_000,
  'tea-black': 10_000,
  'coffee-beans': 10_000,
  mug: 10_000,
  teapot: 10_000,
  'tea-rare': 5,
};
const demoBalance = (customerId: string): number =>
  /^customer-([1-9]\d?|100)$/.test(customerId) ? 1_000_000 : 0;

export interface AuditOptions {
  /** Milliseconds until nothing is PENDING or SETTLING any more. */
  readonly within?: number;
  /** Of how many orders the journals are read, too. */
  readonly timelines?: number;
}

/**
 * Compares, from outside, what the three services vouch for: with themselves, with each other, and with what the client
 * was told. Answers one line per offending row, led by the invariant it breaks; none when all is well.
 */
export async function audit(
  { urls }: System,
  client: Client,
  { within = 60_000, timelines = 50 }: AuditOptions = {},
): Promise<string[]> {
  const findings: string[] = [];
  const check = (invariant: string, holds: boolean, row: string): void => {
    if (!holds) findings.push(`${invariant}: ${row}`);
  };
  const read = async <T>(url: string, schema: z.ZodType<T>): Promise<T> => {
    const answer = await send(url);
    if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status} ${answer.text}`);
    return schema.parse(answer.json());
  };

  // Quiescence: orders ended, nothing in an outbox, nothing unread.
  await client.allEnded(within).catch((error: unknown) => findings.push(`T: ${String(error)}`));
  await eventually(
    async () => {
      for (const service of SERVICES) {
        const { depth } = await read(`${urls[service]}/outbox`, z.object({ depth: z.number() }));
        if (depth > 0) throw new Error(`${depth} rows in the outbox of ${service}`);
        const { text } = await send(`${urls[service]}/metrics`);
        const lag = [...text.matchAll(/^faultline_consumer_lag\{[^}]*\} (\d+)/gm)];
        if (lag.length === 0) throw new Error(`no consumer runs in ${service}`);
        if (lag.some(([, messages]) => messages !== '0')) throw new Error(`${service} lags`);
      }
    },
    { within: 20_000, every: 100 },
  ).catch((error: unknown) => findings.push(`O/L: ${String(error)}`));

  const orders = await read(`${urls.order}/audit`, OrderAudit);
  const stock = await read(`${urls.inventory}/audit`, InventoryAudit);
  const money = await read(`${urls.payment}/audit`, PaymentAudit);
  const listed = await client.listed();

  // T: everything ended, and nothing needed a hand.
  for (const group of orders.orders) {
    const row = `${group.count} orders ${group.status}/${group.settlement} by ${group.protocol}`;
    check('T', group.status !== 'PENDING' && group.settlement !== 'SETTLING', row);
    check('P', group.settlement !== 'SETTLED' || group.status === 'APPROVED', row);
    check('P', group.settlement !== 'UNDONE' || group.status !== 'APPROVED', row);
  }
  for (const orderId of orders.suspended) findings.push(`T: ${orderId} is suspended`);
  for (const { orderId, reason } of orders.skipped) findings.push(`T: ${orderId} was skipped: ${reason}`);
  for (const order of listed) {
    const late = order.decidedAt === null ? 0 : Date.parse(order.decidedAt) - Date.parse(order.deadline);
    check('T', late <= 30_000, `${order.orderId} was decided ${late} ms after its deadline`);
  }

  // M, and per customer against the client.
  check('M', money.ledgerSum === 0, `the ledger sums to ${money.ledgerSum}`);
  check(
    'M',
    Object.values(money.cards).every((amount) => amount === 0),
    `cards ${JSON.stringify(money.cards)}`,
  );
  const charged = sums(client, ({ customerId, total }) => [[customerId, total]]);
  const wallets = new Map(money.wallets.map((wallet) => [wallet.customerId, wallet]));
  for (const wallet of money.wallets) {
    const row = JSON.stringify(wallet);
    check('M', wallet.deposited === wallet.balance + wallet.captured - wallet.refunded, row);
    check('M', wallet.available === wallet.balance - wallet.held && wallet.available >= 0, row);
    check('P', wallet.held === 0, `held with nothing under way: ${row}`);
    const deposited = demoBalance(wallet.customerId) + (client.deposited.get(wallet.customerId) ?? 0);
    check('M', wallet.deposited === deposited, `the client knows of deposits of ${deposited}: ${row}`);
    const expected = charged.get(wallet.customerId) ?? 0;
    check(
      'P',
      wallet.captured - wallet.refunded === expected,
      `the client's approved orders are worth ${expected}: ${row}`,
    );
  }
  for (const customerId of charged.keys())
    check('P', wallets.has(customerId), `approved orders of ${customerId}, who has no wallet`);
  const net = money.wallets.reduce((sum, wallet) => sum + wallet.captured - wallet.refunded, 0);
  check(
    'P',
    net === orders.netAmount.wallet,
    `wallets paid ${net}, orders are worth ${orders.netAmount.wallet}`,
  );
  check('P', orders.netAmount.card === 0, `orders by card are worth ${orders.netAmount.card}`);

  // S, and per SKU against order and client.
  const sold = sums(client, ({ lines }) => lines.map(({ sku, quantity }) => [sku, quantity]));
  for (const item of stock.skus) {
    const row = JSON.stringify(item);
    check('S', item.delivered === item.available + item.reserved + item.sold, row);
    check('S', item.onHand === item.available + item.reserved, row);
    check('S', Math.min(item.available, item.reserved, item.sold) >= 0, row);
    check('P', item.reserved === 0, `reserved with nothing under way: ${row}`);
    const delivered = (demoStock[item.sku] ?? 0) + (client.delivered.get(item.sku) ?? 0);
    check('S', item.delivered === delivered, `the client knows of deliveries of ${delivered}: ${row}`);
    check(
      'P',
      item.sold === (orders.netQuantities[item.sku] ?? 0),
      `orders stand for ${orders.netQuantities[item.sku] ?? 0}: ${row}`,
    );
    check(
      'P',
      item.sold === (sold.get(item.sku) ?? 0),
      `the client's approved orders hold ${sold.get(item.sku) ?? 0}: ${row}`,
    );
  }

  // A: the service knows exactly the orders that the client was told of.
  const told = new Set(client.accepted.map(({ order }) => order.orderId));
  check('A', told.size === client.accepted.length, `${client.accepted.length} keys for ${told.size} orders`);
  for (const { orderId } of listed) check('A', told.has(orderId), `nobody was told of order ${orderId}`);
  const there = new Set(listed.map(({ orderId }) => orderId));
  for (const orderId of told)
    check('A', there.has(orderId), `order ${orderId} was answered 2xx and is not there`);
  const count = orders.orders.reduce((sum, group) => sum + group.count, 0);
  check('A', count === told.size, `the audit counts ${count} orders, the client ${told.size}`);
  for (const contradiction of client.contradictions) findings.push(`A: ${contradiction}`);
  for (const { key, outcome, answers } of client.placements.values())
    check('A', outcome !== undefined, `key ${key} has no definite answer: ${answers.slice(-5).join(', ')}`);

  // E: no message took effect twice; nothing ended as a dead letter.
  for (const service of SERVICES) {
    const { items } = await read(
      `${urls[service]}/dead-letters`,
      z.object({ items: z.array(z.looseObject({ id: z.string(), reason: z.string() })) }),
    );
    for (const { id, reason } of items) findings.push(`D: dead letter ${id} in ${service}: ${reason}`);
  }
  const every = Math.max(1, Math.ceil(listed.length / timelines));
  for (const { orderId } of listed.filter((_, index) => index % every === 0)) {
    const timeline = await read(`${urls.order}/orders/${orderId}/timeline`, Timeline);
    check(
      'E',
      timeline.unanswered.length === 0,
      `journal of ${orderId}: no answer from ${timeline.unanswered.join()}`,
    );
    const handled = timeline.entries.flatMap(({ service, messageId, what }) =>
      messageId === null ? [] : [`${service} ${messageId} ${what}`],
    );
    const twice = handled.filter((entry, index) => handled.indexOf(entry) !== index);
    for (const entry of twice) findings.push(`E: ${orderId}: took effect twice: ${entry}`);
  }
  return shortened(findings);
}

/** At most ten rows of each invariant: one fault often shows in hundreds. */
function shortened(findings: readonly string[]): string[] {
  const groups = Map.groupBy(findings, (finding) => finding.split(':', 1)[0] ?? '');
  return [...groups].flatMap(([invariant, rows]) =>
    rows.length > 10 ? [...rows.slice(0, 10), `${invariant}: and ${rows.length - 10} more`] : rows,
  );
}

/** Sums over the client's approved orders. */
function sums(
  client: Client,
  of: (order: Client['accepted'][number]['order']) => readonly (readonly [string, number])[],
): Map<string, number> {
  const found = new Map<string, number>();
  for (const { order } of client.accepted) {
    if (order.status !== 'APPROVED') continue;
    for (const [key, amount] of of(order)) found.set(key, (found.get(key) ?? 0) + amount);
  }
  return found;
}
