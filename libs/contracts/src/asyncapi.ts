import { z } from 'zod';
import { inventoryCommands } from './messages/inventory.js';
import type { MessageKind } from './messages/message.js';
import { orderEvents } from './messages/order-events.js';
import { paymentCommands } from './messages/payment.js';
import { participantReplies } from './messages/replies.js';
import { topics } from './topics.js';

const who: Readonly<Record<string, { readonly sends: string; readonly receives: readonly string[] }>> = {
  'inventory.commands': { sends: 'order', receives: ['inventory'] },
  'payment.commands': { sends: 'order', receives: ['payment'] },
  'order.replies': { sends: 'inventory and payment', receives: ['order'] },
  'order.events': { sends: 'order', receives: [] },
};

const text = { type: 'string' } as const;

/** CloudEvents 1.0 in Kafka's binary mode: the envelope travels in headers, the body is the record's value. */
const headers = {
  type: 'object',
  required: ['ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_time', 'ce_subject', 'ce_correlationid'],
  properties: {
    ce_specversion: { const: '1.0' },
    ce_id: { ...text, format: 'uuid', description: 'UUIDv7; what the inbox knows the message by' },
    ce_type: text,
    ce_source: text,
    ce_time: { ...text, format: 'date-time' },
    ce_subject: { ...text, description: 'the order' },
    ce_correlationid: { ...text, description: 'the order' },
    ce_causationid: { ...text, description: 'the message that caused this one' },
    ce_deadline: { ...text, description: 'refused as EXPIRED when it arrives later' },
    traceparent: { ...text, description: 'W3C Trace Context' },
    'content-type': { const: 'application/json' },
  },
} as const;

const kinds: readonly MessageKind[] = [
  ...inventoryCommands,
  ...paymentCommands,
  ...participantReplies,
  ...orderEvents,
];

/** AsyncAPI 3 made from the schemas that the services check every message against. */
export function asyncApi(): Readonly<Record<string, unknown>> {
  const nameOf = (kind: MessageKind): string => kind.type.replaceAll('.', '-');
  const channelOf = (topic: string): string => topic.replace('.', '-');
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Faultline messages',
      version: '1.0.0',
      description:
        'Commands, replies and events between order, inventory and payment. At least once on the wire, once in effect.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      Object.entries(topics).map(([topic, { partitions }]) => [
        channelOf(topic),
        {
          address: topic,
          description: `Sent by ${who[topic]?.sends ?? 'nobody'}. Key: the order's id.`,
          messages: Object.fromEntries(
            kinds
              .filter((kind) => kind.topic === topic)
              .map((kind) => [nameOf(kind), { $ref: `#/components/messages/${nameOf(kind)}` }]),
          ),
          bindings: { kafka: { topic, partitions, bindingVersion: '0.5.0' } },
        },
      ]),
    ),
    operations: operations(channelOf),
    components: {
      messages: Object.fromEntries(
        kinds.map((kind) => {
          const { $schema: _, ...payload } = z.toJSONSchema(kind.body, { io: 'output' });
          return [nameOf(kind), { name: kind.type, summary: kind.summary, headers, payload }];
        }),
      ),
    },
  };
}

function operations(channelOf: (topic: string) => string): Record<string, object> {
  const all: Record<string, object> = {};
  for (const topic of Object.keys(topics)) {
    const channel = { $ref: `#/channels/${channelOf(topic)}` };
    all[`send-${channelOf(topic)}`] = { action: 'send', channel };
    for (const service of who[topic]?.receives ?? []) {
      all[`${service}-receives-${channelOf(topic)}`] = { action: 'receive', channel };
    }
  }
  return all;
}
