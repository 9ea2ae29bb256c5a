import { murmur2 } from './internals.js';

/** The partition of a key, as Kafka's own clients compute it: murmur2, positive, modulo the number of partitions. */
export function partitionFor(key: string, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
