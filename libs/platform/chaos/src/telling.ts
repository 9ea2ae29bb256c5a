import { type Log, meter, noteInSpan, startSpan } from '@faultline/telemetry';
import type { Facts } from './fault.js';
import type { Strike } from './faults.js';

const strikes = meter('faultline.chaos').createCounter('faultline.fault.strikes', {
  description: 'how often faults bit, by place and kind',
});

/**
 * Each strike leaves a line in the log, an event in the span that it happens in, and in the trace of each message that it
 * concerns, where no span is open at that moment, a span of its own.
 */
export function telling(log: Log): (strike: Strike, concerned: readonly Facts[]) => void {
  return ({ fault: { name, at, kind, milliseconds } }, concerned) => {
    strikes.add(1, { at, kind });
    const orders = [...new Set(concerned.flatMap(({ orderId }) => orderId ?? []))];
    const [order_id] = orders;
    log.warn(
      {
        fault: name,
        at,
        kind,
        ...(orders.length > 1
          ? { order_ids: orders.slice(0, 20) }
          : order_id === undefined
            ? {}
            : { order_id }),
      },
      'fault struck',
    );
    const attributes = {
      'faultline.fault.name': name,
      'faultline.fault.at': at,
      'faultline.fault.kind': kind,
      ...(milliseconds === undefined ? {} : { 'faultline.fault.milliseconds': milliseconds }),
    };
    noteInSpan('fault struck', attributes);
    for (const { traceparent } of concerned) {
      if (traceparent === undefined) continue;
      const { span } = startSpan(`fault ${kind}`, { parent: traceparent, attributes });
      span.addEvent('fault struck', attributes);
      span.end();
    }
  };
}
