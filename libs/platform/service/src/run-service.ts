import { NameTaken } from '@faultline/database';
import { type Running, type Service, startService } from './service.js';
import { BadSettings, type ServiceSettings } from './settings.js';

/**
 * A service as a process: ends with 1 and one clear sentence when its settings are bad or another living process has its
 * name, with 0 on SIGTERM or SIGINT when everything under way was finished within 4 seconds, with 1 otherwise.
 */
export async function runService<Config extends ServiceSettings>(service: Service<Config>): Promise<void> {
  let running: Running<Config>;
  try {
    running = await startService(service);
  } catch (error) {
    const sentence =
      error instanceof BadSettings ? `${service.name} cannot start: ${error.message}` : undefined;
    process.stderr.write(
      `${sentence ?? `${service.name} cannot start: ${error instanceof Error ? error.stack : String(error)}`}\n`,
    );
    process.exit(1);
  }
  const { log } = running.parts;
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
    log.fatal(error instanceof NameTaken ? { because: error.message } : { err: error }, 'cannot go on');
    process.exit(1);
  };
  running.started.then(() => {
    if (!stopping) log.info({ url: running.url }, 'started');
  }, cannotGoOn);
  running.displaced.catch(cannotGoOn);
}
