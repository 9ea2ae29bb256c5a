import type { Log } from './kafka.js';
import type { ReceivedRecord } from './received.js';
import { pause } from './waiting.js';

export interface BatchControl {
  /**
   * Keeps the membership during long work; it is also kept by itself, every second. Throws when the group has moved on.
   */
  heartbeat(): Promise<void>;
  /** False once the group has moved on: what is handled now will be handled by another member, too. */
  isCurrent(): boolean;
}

/** The group gave these partitions to somebody, perhaps to us again: nothing is resolved, and the records come again. */
export class NoLongerOurs extends Error {
  override readonly name = 'NoLongerOurs';
}

export interface Handling {
  readonly records: readonly ReceivedRecord[];
  readonly membership: BatchControl;
  handle(records: readonly ReceivedRecord[], control: BatchControl): Promise<void>;
  /** Cuts the waits between two attempts short. */
  readonly signal: AbortSignal;
  readonly log: Log | undefined;
  readonly groupId: string;
}

const shortestWait = 50;
const longestWait = 1000;
// kafkajs sends at most every heartbeatInterval (1 s) whatever it is told: the longest silence is 2 s of a session's 10.
const beatEvery = 1000;

/**
 * Repeats the handler until it resolves, with backoff, and keeps the membership meanwhile: a failing handler never costs
 * a rebalance. Throws NoLongerOurs as soon as a heartbeat shows that the group has moved on.
 */
export async function handleUntilDone(h: Handling): Promise<void> {
  let current = true;
  const control: BatchControl = {
    async heartbeat() {
      try {
        await h.membership.heartbeat();
      } catch (error) {
        current = false;
        throw error;
      }
    },
    isCurrent: () => current && h.membership.isCurrent(),
  };
  const beat = setInterval(() => void control.heartbeat().catch(() => undefined), beatEvery);
  try {
    for (let wait = shortestWait; ; wait = Math.min(wait * 2, longestWait)) {
      if (!control.isCurrent()) throw new NoLongerOurs();
      try {
        await h.handle(h.records, control);
        return;
      } catch (error) {
        if (!control.isCurrent()) throw new NoLongerOurs(undefined, { cause: error });
        h.log?.warn(
          { err: error, groupId: h.groupId, size: h.records.length, retryInMs: wait },
          'batch failed: it comes again',
        );
        await pause(wait, h.signal);
      }
    }
  } finally {
    clearInterval(beat);
  }
}
