import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { demandFree, freePorts, holderOf, isFree } from './ports.mjs';
import { portsFrom } from './system.mjs';

describe('ports', () => {
  it('that are taken are named with their holder and the setting that changes them', async () => {
    const [port] = await freePorts(1);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    try {
      const demanded = demandFree(
        [{ port, setting: 'ORDER_PORT', what: 'the order service' }],
        () => 'java (pid 17)',
      );
      await expect(demanded).rejects.toThrow(
        `Port ${port}, meant for the order service, is taken by java (pid 17). End that, or choose another: ORDER_PORT=`,
      );
      const holder = holderOf(port);
      if (holder !== null) expect(holder).toContain(`(pid ${process.pid})`);
    } finally {
      server.close();
    }
  });

  it('that are free are all different, and free', async () => {
    const ports: number[] = await freePorts(6);
    expect(new Set(ports).size).toBe(6);
    for (const port of ports) expect(await isFree(port)).toBe(true);
    await demandFree(ports.map((port) => ({ port, setting: 'X', what: 'x' })));
  });

  it('come from the environment, and must be ports', () => {
    expect(portsFrom({ ORDER_PORT: '4001' })).toMatchObject({ order: 4001, payment: 3002 });
    expect(portsFrom({ PAYMENT_GATEWAY_PORT: '4004' })).toMatchObject({ 'payment-gateway': 4004 });
    expect(portsFrom({}, { replicas: 2 })).not.toHaveProperty('payment-gateway-2');
    expect(() => portsFrom({ KAFKA_PORT: 'nine' })).toThrow('KAFKA_PORT is nine; it must be a port number');
  });

  it('of further replicas are ten more than of the one before, unless told otherwise', () => {
    expect(portsFrom({}, { replicas: 3 })).toMatchObject({
      order: 3001,
      'order-2': 3011,
      'order-3': 3021,
      payment: 3002,
      'payment-2': 3012,
      'payment-gateway': 3004,
      inventory: 3003,
      'inventory-2': 3013,
    });
    expect(portsFrom({ ORDER_PORT: '4001' }, { replicas: 2 })).toMatchObject({ 'order-2': 4011 });
    expect(portsFrom({ ORDER_2_PORT: '5000' }, { replicas: 2 })).toMatchObject({
      order: 3001,
      'order-2': 5000,
    });
    expect(portsFrom({})).not.toHaveProperty('order-2');
    expect(() => portsFrom({ PAYMENT_2_PORT: '0' }, { replicas: 2 })).toThrow(
      'PAYMENT_2_PORT is 0; it must be a port number',
    );
  });

  it('cannot be given to two processes', () => {
    expect(() => portsFrom({ ORDER_2_PORT: '3003' }, { replicas: 2 })).toThrow(
      'ORDER_2_PORT and INVENTORY_PORT are both 3003; each needs a port of its own.',
    );
  });
});
