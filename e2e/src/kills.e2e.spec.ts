import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { audit, Client, killUnderLoad, outcomes, startSystem, type System } from '@faultline/harness';

const setting = (name: string, usual: number): number => Number(process.env[`FAULTLINE_${name}`] || usual);
const long = process.env['FAULTLINE_LONG'] === '1';
const kills = setting('KILLS', long ? 20 : 6);
const seconds = setting('SECONDS', long ? 120 : 30);
const rate = setting('RATE', 20);
// Another one each time, printed so that a run can be repeated.
const seed = setting('SEED', Date.now() % 1_000_000);
const say = (line: string): void => void process.stderr.write(`    ${line}\n`);

let system: System;
let client: Client;

beforeAll(async () => {
  system = await startSystem('kills', {
    tell: ({ name, what, error }) => {
      if (what === 'not started') say(`${name} could not be started: ${error?.message}`);
    },
  });
  client = new Client(system.urls);
});
afterAll(() => system?.stop());

it(
  `${kills} kills -9 of random services at random moments in ${seconds} s: every order ends right`,
  async () => {
    await killUnderLoad(system, client, { kills, seconds, rate, seed, say });
    await system.whenReady();
    const ended = performance.now();
    const findings = await audit(system, client, { within: 120_000, timelines: 200 });
    const orders = client.accepted;
    const approved = orders.filter(({ order }) => order.status === 'APPROVED').length;
    const latency = orders.map(({ order }) =>
      order.settledAt === null ? Infinity : Date.parse(order.settledAt) - Date.parse(order.createdAt),
    );
    latency.sort((a, b) => a - b);
    const repeated = orders.filter(({ answers }) => answers.length > 1).length;
    say(`${orders.length} orders answered 2xx, ${repeated} of them only after repeating the key`);
    for (const [outcome, count] of Object.entries(outcomes(client)))
      say(`${String(count).padStart(7)}  ${outcome}`);
    say(
      `approved ${((100 * approved) / orders.length).toFixed(1)} %; accepted to settled p50 ${latency[Math.floor(latency.length / 2)]} ms, ` +
        `p99 ${latency[Math.floor(latency.length * 0.99)]} ms, longest ${latency.at(-1)} ms; ` +
        `quiet and audited ${((performance.now() - ended) / 1000).toFixed(1)} s after the last kill's recovery`,
    );
    for (const order of slowest(client)) say(`  slow: ${order}`);
    say(findings.length === 0 ? 'the audit found nothing' : `the audit found ${findings.length}:`);
    for (const finding of findings) say(`  ${finding}`);
    expect({ seed, findings }).toEqual({ seed, findings: [] });
    expect(approved / orders.length).toBeGreaterThanOrEqual(0.9);
    expect(orders.length).toBeGreaterThanOrEqual(rate * seconds * 0.9);
  },
  seconds * 1000 + 300_000,
);

/** The three orders that took longest, to be looked up in the logs. */
function slowest(of: Client): string[] {
  const took = ({ createdAt, settledAt }: { createdAt: string; settledAt: string | null }): number =>
    settledAt === null ? Infinity : Date.parse(settledAt) - Date.parse(createdAt);
  return of.accepted
    .map(({ order }) => order)
    .sort((a, b) => took(b) - took(a))
    .slice(0, 3)
    .map((order) => `${order.orderId} ${took(order)} ms, accepted at ${order.createdAt}`);
}
