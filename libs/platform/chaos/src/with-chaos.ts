import type { Service, ServiceSettings, Wrapping } from '@faultline/service';
import { httpClient } from '@faultline/http-client';
import { type Chaos, openChaos } from './around.js';
import { databaseThrough } from './database.js';
import { fetchThrough } from './http-out.js';
import { handleThrough, producerThrough } from './messages.js';

/**
 * The service with faults to be injected around its ports while the setting FAULTLINE_CHAOS is `on` (off unless set), and
 * exactly the service otherwise. Its own code knows of none: a fault lies in front of a port, and is gone after a restart.
 * After Basiri et al., "Chaos Engineering" (IEEE Software, 2016).
 */
export function withChaos<Config extends ServiceSettings>(service: Service<Config>): Service<Config> {
  return {
    ...service,
    wrapping(config, log) {
      const chaos = openChaos(service.name, config, log, [
        'http-in',
        'http-out',
        'database',
        'produce',
        'consume',
        'process',
      ]);
      return chaos && wrappingOf(chaos);
    },
  };
}

function wrappingOf({ faults, modules, before, calls }: Chaos): Wrapping {
  return {
    modules,
    before,
    httpClient(options) {
      calls(options.name);
      return httpClient({
        ...options,
        fetch: fetchThrough(faults, options.name, options.fetch ?? globalThis.fetch),
      });
    },
    database: (database) => databaseThrough(faults, database),
    producer: (producer) => producerThrough(faults, producer),
    consumption: (consumption) => ({ ...consumption, handle: handleThrough(faults, consumption.handle) }),
  };
}
