import { describe, expect, it } from '@jest/globals';
import { Offsets } from './offsets.js';

describe('offsets', () => {
  it('are one past what was handled, and pending until they are committed', () => {
    const offsets = new Offsets();
    offsets.handled('t', 0, '41');
    expect(offsets.pending()).toEqual([{ topic: 't', partition: 0, offset: '42' }]);
    offsets.committed(offsets.pending());
    expect(offsets.pending()).toEqual([]);
  });

  it('never go back', () => {
    const offsets = new Offsets();
    offsets.handled('t', 0, '41');
    offsets.handled('t', 0, '9');
    expect(offsets.nextOf('t', 0)).toBe(42);
  });

  it('stay pending when more was handled while they were being committed', () => {
    const offsets = new Offsets();
    offsets.handled('t', 0, '1');
    const sent = offsets.pending();
    offsets.handled('t', 0, '2');
    offsets.committed(sent);
    expect(offsets.pending()).toEqual([{ topic: 't', partition: 0, offset: '3' }]);
  });

  it('of partitions that went to another member are forgotten', () => {
    const offsets = new Offsets();
    offsets.handled('t', 0, '1');
    offsets.handled('t', 1, '1');
    offsets.keepOnly([{ topic: 't', partition: 1 }]);
    expect(offsets.pending()).toEqual([{ topic: 't', partition: 1, offset: '2' }]);
  });
});
