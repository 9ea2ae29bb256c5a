import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import {
  type BrokerProxy,
  brokerProxy,
  choosePorts,
  databaseProxy,
  type DatabaseProxy,
  type Disturbances,
  disturbances,
  type HarnessSystem,
  observe,
  type OrderBody,
  type ServiceName,
  startSystem,
} from '@faultline/harness';
import pg from 'pg';
import { everyInvariantHolds } from '../verdict.js';
import { Witness } from './witness.js';

export const aMug: OrderBody = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };
export const services: readonly ServiceName[] = ['order', 'inventory', 'payment'];

/** Whether everything lasts as long as its promise says; otherwise just long enough to show it. */
export const long = process.env['FAULTLINE_LONG'] === '1';

/** One system for all outages, with what breaks it. */
export interface Stage {
  readonly system: HarnessSystem;
  readonly client: Witness;
  /** Between all services and the broker. */
  readonly broker: BrokerProxy;
  /** Between payment and its database. */
  readonly paymentDatabase: DatabaseProxy;
  readonly disturb: Disturbances;
  /** Nothing happens when there is one. */
  startBroker(): Promise<void>;
  stopBroker(): Promise<void>;
  /** All is mended: everything ends, and every invariant holds. */
  allIsWell(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it without a broker: the first outage. */
export async function setStage(): Promise<Stage> {
  const ports = await choosePorts();
  const broker = await brokerProxy(ports.kafka);
  await broker.refuse();
  const paymentDatabase = await databaseProxy(ports.postgres);
  const disturb = disturbances();
  const kafka = { KAFKA_BROKERS: `127.0.0.1:${broker.port}` };
  const system = await startSystem('outages', {
    ports,
    startKafka: false,
    waitForBroker: false,
    env: kafka,
    serviceEnv: {
      ...disturb.serviceEnv,
      payment: {
        ...disturb.serviceEnv.payment,
        DATABASE_URL: `postgres://faultline:faultline@127.0.0.1:${paymentDatabase.port}/faultline_payment`,
      },
    },
  });
  const client = new Witness(system.urls);
  const observation = await observe(system);
  return {
    system,
    client,
    broker,
    paymentDatabase,
    disturb,
    async startBroker() {
      await broker.listen();
      await system.startKafka();
    },
    async stopBroker() {
      await system.stopKafka();
      await broker.refuse();
    },
    async allIsWell() {
      await system.whenReady();
      await everyInvariantHolds(system, client, observation);
      expect(client.unexpected()).toEqual([]);
    },
    async close() {
      await observation.stop();
      await system.stop();
      await Promise.all([broker.close(), paymentDatabase.close()]);
      disturb.close();
    },
  };
}

/** One connection to a service's database, for as long as the work takes. */
export async function inDatabase<T>(
  { system }: Stage,
  service: ServiceName,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: system.databaseUrl(service) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** How often the service has said so in its log. */
export function said({ system }: Stage, service: ServiceName, what: string): number {
  return readFileSync(system.log(service), 'utf8').split(`"msg":"${what}"`).length - 1;
}
