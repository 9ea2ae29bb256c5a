import type { ConsumerOptions, OutgoingRecord, Producer, ReceivedRecord } from '@faultline/messaging';
import type { Facts } from './fault.js';
import type { Faults } from './faults.js';
import { first, InjectedFault, sufferLatency, text } from './strike.js';

type Handle = ConsumerOptions['handle'];
type Message = OutgoingRecord | ReceivedRecord;

/** A producer through faults. A failed send has sent nothing, so that no later record of an order comes first. */
export function producerThrough(faults: Faults, producer: Producer): Producer {
  return {
    connect: () => producer.connect(),
    close: () => producer.close(),
    async send(records) {
      await suffer(faults, 'produce', records);
      // A copy comes right behind its original: what is sent for the first time keeps its order.
      await producer.send(records.flatMap((record) => [record, ...copies(faults, 'produce', record)]));
    },
  };
}

/** What a consumer does with what it fetched, through faults. */
export function handleThrough(faults: Faults, handle: Handle): Handle {
  return async (records, control) => {
    await suffer(faults, 'consume', records);
    await handle(records, control);
    const again = records.flatMap((record) => copies(faults, 'consume', record));
    // As after a crash between the commit and the offsets.
    if (again.length > 0) await handle(again, control);
  };
}

async function suffer(faults: Faults, at: string, records: readonly Message[]): Promise<void> {
  if (records.length === 0) return;
  const strikes = faults.strike({ at, kinds: ['latency', 'error'], carries: () => records.map(factsOf) });
  await sufferLatency(strikes);
  const error = first(strikes, 'error');
  if (error) throw new InjectedFault(error.fault);
}

function copies<M extends Message>(faults: Faults, at: string, record: M): M[] {
  return faults.strike({ at, kinds: ['duplicate'], carries: () => [factsOf(record)] }).map(() => record);
}

function factsOf({ topic, headers, value }: Message): Facts {
  const orderId = headers['ce_subject']?.toString().toLowerCase();
  const traceparent = headers['traceparent']?.toString();
  const customerId = customerIn(value);
  return {
    topic,
    ...(orderId === undefined ? {} : { orderId }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(customerId === undefined ? {} : { customerId }),
  };
}

function customerIn(value: Buffer | null): string | undefined {
  try {
    const body: unknown = JSON.parse(value?.toString('utf8') ?? '');
    return typeof body === 'object' && body !== null && 'customerId' in body
      ? text(body.customerId)
      : undefined;
  } catch {
    return undefined;
  }
}
