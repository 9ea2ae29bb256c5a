import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { asGroupInstance, consumerGroup, joinGroup, mendInternals, requestQueue } from './internals.js';
import { decodeRecord, encodeRecord } from './lean-records.js';

describe('the places inside kafkajs that are mended', () => {
  it('are still there', () => {
    expect(typeof requestQueue.prototype.scheduleCheckPendingRequests).toBe('function');
    expect(typeof consumerGroup.prototype.heartbeat).toBe('function');
    expect(typeof joinGroup.protocol({ version: 5 })).toBe('function');
  });

  it('write the group instance id into JoinGroup, and only inside its instance', async () => {
    mendInternals();
    const request = {
      groupId: 'group',
      sessionTimeout: 10_000,
      rebalanceTimeout: 10_000,
      memberId: '',
      protocolType: 'consumer',
      groupProtocols: [],
    };
    const bytes = async (): Promise<string> => {
      const built = joinGroup.protocol({ version: 5 })(request) as {
        request: { encode(): Promise<{ buffer: Buffer }> };
      };
      return (await built.request.encode()).buffer.toString('latin1');
    };
    expect(await asGroupInstance('inventory-1', bytes)).toContain('inventory-1');
    expect(await bytes()).not.toContain('inventory-1');
  });

  it('encode and decode the records of requests that are made from then on', async () => {
    mendInternals();
    const require = createRequire(import.meta.url);
    const produce = require('kafkajs/src/protocol/requests/produce/v3/request') as (request: object) => {
      encode(): Promise<{ buffer: Buffer }>;
    };
    const headers = { name: 'header' };
    const messages = [{ key: null, value: Buffer.from('body'), headers }];
    const topicData = [{ topic: 'topic', partitions: [{ partition: 0, messages }] }];
    const { buffer } = await produce({ acks: -1, timeout: 1, topicData }).encode();
    expect(buffer.includes(encodeRecord({ key: null, value: Buffer.from('body'), headers }).buffer)).toBe(
      true,
    );
    const original = 'kafkajs/src/protocol/recordBatch/record/v0';
    expect(String(require(original))).toContain('encodeRecord');
    expect(require(`${original}/decoder`)).toBe(decodeRecord);
  });

  it('leave an idle connection without a timer', () => {
    mendInternals();
    const queue = { pending: [], throttledUntil: -1, throttleCheckTimeoutId: null };
    requestQueue.prototype.scheduleCheckPendingRequests.call(
      queue as unknown as typeof requestQueue.prototype,
    );
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('send a heartbeat in time also when the wall clock was set back', async () => {
    mendInternals();
    let sent = 0;
    const logger = { namespace: () => logger };
    const group = Object.assign(
      new (consumerGroup as unknown as new (options: object) => typeof consumerGroup.prototype)({ logger }),
      {
        memberId: 'member',
        coordinator: { heartbeat: async () => void (sent += 1) },
        instrumentationEmitter: { emit: () => undefined },
      },
    );
    await group.heartbeat({ interval: 3000 });
    expect(sent).toBe(0);
    group.lastRequest = Date.now() + 15 * 60_000;
    await group.heartbeat({ interval: 3000 });
    expect(sent).toBe(1);
    await group.heartbeat({ interval: 3000 });
    expect(sent).toBe(1);
  });
});
