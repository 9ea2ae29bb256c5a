import { afterAll, expect, it } from '@jest/globals';
import { direct, eventually, newTopic, outgoing, send } from './a-network.spec-data.js';
import { startConsumer, type RunningConsumer } from './consumer.js';
import { positionsOf } from './positions.js';

let consumer: RunningConsumer | undefined;
afterAll(() => consumer?.stop());

it('tells where each partition ends, and how far the group has said it is', async () => {
  const topic = await newTopic(2);
  await send([outgoing(topic, 0, 'a'), outgoing(topic, 0, 'b')]);
  expect(await positionsOf(direct, topic, [topic])).toEqual([
    { topic, partition: 0, begin: 0, end: 2, committed: null },
    { topic, partition: 1, begin: 0, end: 0, committed: null },
  ]);

  consumer = startConsumer({
    kafka: direct,
    groupId: topic,
    instanceId: 'instance-1',
    topics: [topic],
    handle: () => Promise.resolve(),
  });
  await eventually(async () =>
    expect((await positionsOf(direct, topic, [topic]))[0]).toMatchObject({ end: 2, committed: 2 }),
  );

  await send([outgoing(topic, 1, 'c')]);
  await eventually(async () =>
    expect((await positionsOf(direct, topic, [topic]))[1]).toMatchObject({ end: 1, committed: 1 }),
  );
});
