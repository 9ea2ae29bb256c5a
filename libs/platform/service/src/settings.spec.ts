import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { BadSettings, readSettings, serviceSettings } from './settings.js';

const good = {
  PORT: '3003',
  INSTANCE: 'inventory-1',
  DATABASE_URL: 'postgres://localhost/inventory',
  KAFKA_BROKERS: 'localhost:9092, other:9092',
};

describe('the settings of a service', () => {
  it('are read and converted', () => {
    expect(readSettings(serviceSettings, good)).toEqual({
      PORT: 3003,
      HOST: '127.0.0.1',
      INSTANCE: 'inventory-1',
      DATABASE_URL: 'postgres://localhost/inventory',
      KAFKA_BROKERS: ['localhost:9092', 'other:9092'],
      FAULTLINE_CHAOS: 'off',
      FAULTLINE_DEMO_DATA: 'off',
      MAX_REQUESTS: 300,
      MAX_EVENT_LOOP_DELAY_MS: 500,
    });
  });

  it('name everything that is missing or wrong at once', () => {
    const read = () =>
      readSettings(serviceSettings, { ...good, PORT: 'abc', INSTANCE: undefined, KAFKA_BROKERS: 'nonsense' });
    expect(read).toThrow(BadSettings);
    expect(read).toThrow(/PORT must be a port number/);
    expect(read).toThrow(/INSTANCE is not set/);
    expect(read).toThrow(/KAFKA_BROKERS must be host:port/);
  });

  it('take an empty variable as one that is not set', () => {
    expect(() => readSettings(serviceSettings, { ...good, DATABASE_URL: '' })).toThrow(
      /DATABASE_URL is not set/,
    );
    expect(
      readSettings(serviceSettings, { ...good, FAULTLINE_SERVICE_TOKEN: '' }).FAULTLINE_SERVICE_TOKEN,
    ).toBeUndefined();
  });

  it('refuse to listen beyond loopback without a token of its own', () => {
    expect(() => readSettings(serviceSettings, { ...good, HOST: '0.0.0.0' })).toThrow(
      /FAULTLINE_SERVICE_TOKEN is not set, and HOST is 0\.0\.0\.0/,
    );
    expect(
      readSettings(serviceSettings, { ...good, HOST: '0.0.0.0', FAULTLINE_SERVICE_TOKEN: 'x'.repeat(32) })
        .HOST,
    ).toBe('0.0.0.0');
  });

  it('can be extended by a service', () => {
    const Config = serviceSettings.extend({ INVENTORY_URL: z.url() });
    expect(() => readSettings(Config, good)).toThrow(/INVENTORY_URL is not set/);
    expect(readSettings(Config, { ...good, INVENTORY_URL: 'http://localhost:3003' }).INVENTORY_URL).toBe(
      'http://localhost:3003',
    );
  });
});
