// Several processes of one service: how many there may be, and what each is called.
import { Problem } from './problem.mjs';

/** A partition of a topic has one consumer of a group, and one relay. The contracts give every topic three. */
export const MOST_REPLICAS = 3;

/** Reads how many replicas are wanted; one unless told. Throws a Problem for what is no such number. */
export function replicasFrom(given, name = '--replicas') {
  if (given === undefined) return 1;
  const wanted = /^\d+$/.test(String(given)) ? Number(given) : NaN;
  if (wanted >= 1 && wanted <= MOST_REPLICAS) return wanted;
  const why =
    wanted > MOST_REPLICAS
      ? `: every topic has ${MOST_REPLICAS} partitions, so a further replica would have nothing to consume or to publish`
      : '';
  throw new Problem(`${name} is ${given}; it can be a whole number from 1 to ${MOST_REPLICAS}${why}.`);
}

/**
 * The processes of a service: `order`, `order-2`, `order-3`. The first keeps the service's name, so that its log, pid
 * file and port are the same however many there are.
 */
export function replicaNames(service, count) {
  return Array.from({ length: count }, (_, index) => (index === 0 ? service : `${service}-${index + 1}`));
}

/** The service and the number of a process: `order-2` is { service: 'order', number: 2 }, `order` number 1. */
export function replicaOf(process) {
  const [, service, number] = /^(.+?)(?:-(\d+))?$/.exec(process);
  return { service, number: Number(number ?? 1) };
}

/** What each replica is called towards Kafka, the relay's leases and in its log lines. */
export function instanceOf(process) {
  const { service, number } = replicaOf(process);
  return `${service}-${number}`;
}

/** The process that is meant by a name: `order-1` is the one called `order`. */
export function processNamed(name) {
  return name.endsWith('-1') ? name.slice(0, -2) : name;
}
