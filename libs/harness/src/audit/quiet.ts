import { eventually } from '@faultline/testing';
import { z } from 'zod';
import { send } from '../http.js';
import type { Observation } from '../observation.js';
import { SERVICES, type System } from '../system.js';
import { read } from './books.js';
import { consumers } from './consumers.js';

/** Resolves when no outbox holds a row and no consumer lags, by the services' own word. Throws what is still under way. */
export async function untilServicesAreQuiet({ urls }: Pick<System, 'urls'>, within: number): Promise<void> {
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
    { within, every: 100 },
  );
}

/**
 * The same by the word of databases and broker: every outbox is empty, every group has said that it is at the end of
 * its topics, and the tap has heard everything. Throws what is still under way.
 */
export async function untilAllIsConsumed({ databases, tap }: Observation, within: number): Promise<void> {
  await eventually(
    async () => {
      for (const service of SERVICES) {
        const [row] = await databases.read<{ depth: number }>(
          service,
          'SELECT count(*) AS depth FROM outbox',
        );
        if (row?.depth !== 0) throw new Error(`${row?.depth} rows in the outbox of ${service}`);
      }
      for (const { name, topics } of consumers) {
        for (const { topic, partition, begin, end, committed } of await tap.positions(name, topics)) {
          if ((committed ?? begin) < end)
            throw new Error(`${name} has committed ${committed} of ${end} in ${topic}/${partition}`);
        }
      }
    },
    { within, every: 200 },
  );
  await tap.caughtUp(within);
}
