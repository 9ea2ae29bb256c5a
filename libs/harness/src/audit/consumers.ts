import type { ServiceName } from '../system.js';

/** Who reads what: the group, its inbox in the service's database, and its topics. */
export interface KnownConsumer {
  readonly service: ServiceName;
  /** Names the inbox rows and the consumer group. */
  readonly name: string;
  readonly topics: readonly string[];
}

/** Every consumer of the system. One that is missing here is found by its inbox rows. */
export const consumers: readonly KnownConsumer[] = [
  { service: 'order', name: 'order', topics: ['order.replies'] },
  { service: 'inventory', name: 'inventory', topics: ['inventory.commands'] },
  { service: 'payment', name: 'payment', topics: ['payment.commands'] },
];
