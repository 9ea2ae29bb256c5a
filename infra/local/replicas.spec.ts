import { describe, expect, it } from '@jest/globals';
import { topics } from '../../libs/contracts/src/topics.js';
import {
  instanceOf,
  MOST_REPLICAS,
  processNamed,
  replicaNames,
  replicaOf,
  replicasFrom,
} from './replicas.mjs';

describe('the number of replicas', () => {
  it('is one unless told', () => {
    expect(replicasFrom(undefined)).toBe(1);
    expect(replicasFrom('2')).toBe(2);
    expect(replicasFrom(3)).toBe(3);
  });

  it.each(['0', 'x', '', '-1', '1.5', '2 '])('cannot be %j', (given) => {
    expect(() => replicasFrom(given)).toThrow(
      `--replicas is ${given}; it can be a whole number from 1 to 3.`,
    );
  });

  it('cannot be more than a topic has partitions, and says so', () => {
    expect(() => replicasFrom('4')).toThrow(
      '--replicas is 4; it can be a whole number from 1 to 3: every topic has 3 partitions, so a further replica would have nothing to consume or to publish.',
    );
    const partitions = Object.values(topics).map((topic) => topic.partitions);
    expect(Math.min(...partitions)).toBe(MOST_REPLICAS);
  });
});

describe('a replica', () => {
  it('is called like its service when it is the first, and by its number otherwise', () => {
    expect(replicaNames('order', 1)).toEqual(['order']);
    expect(replicaNames('order', 3)).toEqual(['order', 'order-2', 'order-3']);
    expect(replicaOf('order-2')).toEqual({ service: 'order', number: 2 });
    expect(replicaOf('order')).toEqual({ service: 'order', number: 1 });
  });

  it('names itself towards the broker with its number, whichever it is', () => {
    expect(replicaNames('payment', 2).map(instanceOf)).toEqual(['payment-1', 'payment-2']);
  });

  it('is found by its number, too', () => {
    expect(processNamed('order-1')).toBe('order');
    expect(processNamed('order-2')).toBe('order-2');
    expect(processNamed('kafka')).toBe('kafka');
  });
});
