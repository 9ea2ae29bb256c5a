import type { Client } from './client.js';
import { forAWhile, startLoad } from './load.js';
import { pick, randomFrom } from './random.js';
import type { ServiceName, System } from './system.js';

export interface KillOptions {
  readonly kills: number;
  readonly seconds: number;
  /** Orders per second. */
  readonly rate: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Places orders at a steady rate and kills random services with -9 at random moments, all of it given by the seed. */
export async function killUnderLoad(
  system: System,
  client: Client,
  { kills, seconds, rate, seed, say }: KillOptions,
): Promise<void> {
  const random = randomFrom(seed);
  const services: readonly ServiceName[] = ['order', 'inventory', 'payment'];
  const plan = Array.from({ length: kills }, () => ({
    at: 1000 + random() * (seconds * 1000 - 2000),
    service: pick(random, services),
  })).sort((a, b) => a.at - b.at);
  say(`seed ${seed}: ${kills} kills -9 in ${seconds} s, ${rate} orders/s`);
  const begun = performance.now();
  const load = startLoad(client, { rate, seed });
  for (const [index, { at, service }] of plan.entries()) {
    await forAWhile(begun + at - performance.now());
    // One that is down just now is killed as soon as it lives again: a kill that hits nothing is none.
    while (!system.process(service).kill('SIGKILL')) await forAWhile(20);
    say(`${((performance.now() - begun) / 1000).toFixed(2).padStart(7)} s  kill ${index + 1}: ${service}`);
  }
  await forAWhile(begun + seconds * 1000 - performance.now());
  await load.stop();
}

/** What became of the orders, in one line per answer. */
export function outcomes(client: Client): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { order } of client.accepted) {
    const name = `${order.status}/${order.settlement}${order.rejection ? ` ${order.rejection.reason}` : ''}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
