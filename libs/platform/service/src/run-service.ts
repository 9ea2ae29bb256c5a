import { NameTaken } from '@faultline/database';
import { runProcess } from './run-process.js';
import { type Service, startService } from './service.js';
import type { ServiceSettings } from './settings.js';

/** A service as a process: see runProcess. It also ends, with 1, when another living process has its name. */
export function runService<Config extends ServiceSettings>(service: Service<Config>): Promise<void> {
  return runProcess(
    service.name,
    async () => {
      const { url, parts, started, displaced, stop } = await startService(service);
      return { url, log: parts.log, started, displaced, stop: () => stop() };
    },
    (error) => error instanceof NameTaken,
  );
}
