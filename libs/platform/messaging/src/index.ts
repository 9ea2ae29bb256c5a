export { decodeHeaders, encodeHeaders, type Envelope } from './cloud-events.js';
export {
  startConsumer,
  type ConsumerOptions,
  type ConsumerStatus,
  type RunningConsumer,
} from './consumer.js';
export { type BatchControl } from './handling.js';
export {
  checkTopics,
  ensureTopics,
  openKafka,
  type Kafka,
  type KafkaOptions,
  type Log,
  type TopicSpec,
} from './kafka.js';
export { partitionFor } from './partition.js';
export { positionsOf, type Position } from './positions.js';
export {
  NotAcknowledged,
  openProducer,
  RefusedByBroker,
  type OutgoingRecord,
  type Producer,
} from './producer.js';
export { type ReceivedRecord } from './received.js';
