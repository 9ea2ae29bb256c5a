import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { decodeRecord, encodeRecord, isSmall, type RecordToEncode } from './lean-records.js';

// kafkajs 2.2.4 is its last release, and these are the places of its inside that we mend. internals.spec.ts fails when
// they move. docs/adr/0003 says why we live with it.
const require = createRequire(import.meta.url);

interface RequestQueueClass {
  readonly prototype: {
    pending: unknown[];
    throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  };
}
type Build = (request: Readonly<Record<string, unknown>>) => unknown;
interface JoinGroup {
  protocol(options: { readonly version: number }): Build;
}

interface ConsumerGroupClass {
  readonly prototype: {
    lastRequest: number;
    heartbeat(options: { readonly interval: number }): Promise<void>;
  };
}

export const consumerGroup = require('kafkajs/src/consumer/consumerGroup') as ConsumerGroupClass;
export const requestQueue = require('kafkajs/src/network/requestQueue') as RequestQueueClass;
export const joinGroup = require('kafkajs/src/protocol/requests/joinGroup') as JoinGroup;

const instance = new AsyncLocalStorage<string>();
let mended = false;

/** Mends kafkajs once per process. */
export function mendInternals(): void {
  if (mended) return;
  mended = true;

  // tulios/kafkajs#1704: it looks for pending requests every 10 ms although there are none: 805 wake-ups a second.
  const schedule = requestQueue.prototype.scheduleCheckPendingRequests;
  requestQueue.prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded() {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };

  // It counts from heartbeat to heartbeat by the wall clock: set back by a quarter of an hour, none is sent for as long,
  // and after its session the group gives the partitions away without the consumer's knowing.
  const heartbeat = consumerGroup.prototype.heartbeat;
  consumerGroup.prototype.heartbeat = function alsoWhenTheClockWasSetBack(options) {
    if (this.lastRequest > Date.now()) this.lastRequest = 0;
    return heartbeat.call(this, options);
  };

  // A quarter of a service's work was to make and to collect the buffers of its records (lean-records.ts). Produce and
  // fetch requests require these modules when the first of them is sent.
  replaceModule<(record: RecordToEncode) => unknown>(
    'kafkajs/src/protocol/recordBatch/record/v0',
    (original) => (record) => (isSmall(record.timestampDelta ?? 0) ? encodeRecord(record) : original(record)),
  );
  replaceModule('kafkajs/src/protocol/recordBatch/record/v0/decoder', () => decodeRecord);

  // Static membership (KIP-345): kafkajs can write group.instance.id and never does. A restarted process then takes its
  // dead predecessor's place at once (0.6 s) instead of waiting for its session to end (10 s).
  const protocol = joinGroup.protocol;
  joinGroup.protocol = ({ version }) => {
    const build = protocol({ version });
    return (request) =>
      build({ ...request, groupInstanceId: version >= 5 ? (instance.getStore() ?? null) : undefined });
  };
}

/** Puts another function in the place of a module of kafkajs, for whoever requires it from now on. */
function replaceModule<T>(path: string, by: (original: T) => T): void {
  const original = require(path) as T;
  const known = require.cache[require.resolve(path)];
  if (!known) throw new Error(`${path} cannot be replaced`);
  known.exports = by(original);
}

/** Runs the work so that every group it joins is joined as this instance, also when it joins again later. */
export function asGroupInstance<T>(instanceId: string, work: () => T): T {
  return instance.run(instanceId, work);
}
