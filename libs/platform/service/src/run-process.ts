import type { Log } from '@faultline/telemetry';
import { BadSettings } from './settings.js';

/** A process as it runs: what can be said to it, and what it says. */
export interface RunningProcess {
  readonly url: string;
  readonly log: Log;
  /** Resolves once it does its work. Rejects when it never will. */
  readonly started: Promise<void>;
  /** Rejects when it cannot go on; never resolves. */
  readonly displaced?: Promise<never>;
  /** Answers which steps were not finished in time. */
  stop(): Promise<readonly string[]>;
}

/**
 * Runs it until SIGTERM or SIGINT: ends with 1 and one clear sentence when its settings are bad, with 0 when everything
 * under way was finished in its time, with 1 otherwise. `saysAll` knows the errors whose message needs no stack beside it.
 */
export async function runProcess(
  name: string,
  start: () => Promise<RunningProcess>,
  saysAll: (error: unknown) => boolean = () => false,
): Promise<void> {
  let running: RunningProcess;
  try {
    running = await start();
  } catch (error) {
    const isClear = error instanceof BadSettings || saysAll(error);
    const why = error instanceof Error ? (isClear ? error.message : error.stack) : String(error);
    process.stderr.write(`${name} cannot start: ${why}\n`);
    process.exit(1);
  }
  const { log } = running;
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    running.stop().then(
      (unfinished) => process.exit(unfinished.length === 0 ? 0 : 1),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const cannotGoOn = (error: unknown): void => {
    const isClear = saysAll(error) && error instanceof Error;
    log.fatal(isClear ? { because: error.message } : { err: error }, 'cannot go on');
    process.exit(1);
  };
  running.started.then(() => {
    if (!stopping) log.info({ url: running.url }, 'started');
  }, cannotGoOn);
  running.displaced?.catch(cannotGoOn);
}
