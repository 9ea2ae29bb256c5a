import { type OrderView, Timeline } from '@faultline/contracts';
import type { System } from '../system.js';
import { read } from './books.js';
import { type Check, Rows } from './verdict.js';

/** E, as anybody can see it: in the timelines of so many orders every journal answers, and no message appears twice. */
export async function timelines(
  { urls }: Pick<System, 'urls'>,
  listed: readonly OrderView[],
  atMost: number,
): Promise<Check> {
  const rows = new Rows();
  const every = Math.max(1, Math.ceil(listed.length / atMost));
  const sample = listed.filter((_, index) => index % every === 0);
  for (const { orderId } of sample) {
    const timeline = await read(`${urls.order}/orders/${orderId}/timeline`, Timeline);
    rows.expect(
      timeline.unanswered.length === 0,
      `journal of ${orderId}: no answer from ${timeline.unanswered.join()}`,
    );
    const handled = timeline.entries.flatMap(({ service, messageId, what }) =>
      messageId === null ? [] : [`${service} ${messageId} ${what}`],
    );
    const twice = handled.filter((entry, index) => handled.indexOf(entry) !== index);
    for (const entry of twice) rows.add(`${orderId}: took effect twice: ${entry}`);
  }
  return { invariant: 'E', looked: { timelines: sample.length }, rows: rows.found };
}
