import type { Database } from '@faultline/database';
import { httpClient } from '@faultline/http-client';
import type { RequestHandler } from '@faultline/http-server';
import type { Producer } from '@faultline/messaging';
import type { DynamicModule } from '@nestjs/common';
import type { Consumption } from './broker.js';

/**
 * What stands around the ports of a service: everything that comes in or goes out passes through it, and neither side
 * knows. Each function gets what would be used and answers what is used instead.
 */
export interface Wrapping {
  readonly modules: readonly DynamicModule[];
  /** What every request meets first. */
  readonly before: readonly RequestHandler[];
  readonly httpClient: typeof httpClient;
  database(database: Database): Database;
  producer(producer: Producer): Producer;
  consumption(consumption: Consumption): Consumption;
}

/** The ports as they are. */
export const nothingAround: Wrapping = {
  modules: [],
  before: [],
  httpClient,
  database: (database) => database,
  producer: (producer) => producer,
  consumption: (consumption) => consumption,
};
