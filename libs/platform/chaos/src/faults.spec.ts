import { describe, expect, it } from '@jest/globals';
import { aFault, faultsForTests } from './a-fault.spec-data.js';
import type { Strike } from './faults.js';

const names = (strikes: readonly Strike[]): string[] => strikes.map(({ fault }) => fault.name);
const errors = aFault({ name: 'errors', at: 'http-in', kind: 'error' });

describe('a fault', () => {
  it('strikes at its place and nowhere else, and counts how often', () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ name: 'to-inventory', at: 'http-out:inventory', kind: 'reset' }));
    expect(names(faults.strike({ at: 'http-out:inventory' }))).toEqual(['to-inventory']);
    expect(names(faults.strike({ at: 'http-out:payment' }))).toEqual([]);
    expect(names(faults.strike({ at: 'http-out:inventory', kinds: ['error'] }))).toEqual([]);
    faults.strike({ at: 'http-out:inventory', kinds: ['error', 'reset'] });
    expect(faults.list()).toMatchObject([{ name: 'to-inventory', struck: 2 }]);
  });

  it('strikes by its rate: the lot decides, once for each call', () => {
    const { faults } = faultsForTests(0.29, 0.3, 0, 0.99);
    faults.put({ ...errors, rate: 0.3 });
    const struck = [1, 2, 3, 4].map(() => faults.strike({ at: 'http-in' }).length);
    expect(struck).toEqual([1, 0, 1, 0]);
    expect(faults.list()).toMatchObject([{ struck: 2 }]);
  });

  it('never strikes at rate 0, and always at rate 1', () => {
    const { faults } = faultsForTests(0, 0.999_999);
    faults.put({ ...errors, rate: 0 });
    expect(faults.strike({ at: 'http-in' })).toEqual([]);
    faults.put(errors);
    expect(faults.strike({ at: 'http-in' })).toHaveLength(1);
  });

  it('ends by itself when its time is over, and tells whoever still waits because of it', async () => {
    const { faults, clock } = faultsForTests();
    const { expiresAt } = faults.put({ ...errors, ttlSeconds: 30 });
    expect(expiresAt - clock.now()).toBe(30_000);
    const [strike] = faults.strike({ at: 'http-in' });
    await clock.advance(29_999);
    expect(faults.strike({ at: 'http-in' })).toHaveLength(1);
    expect(strike?.ended.aborted).toBe(false);
    await clock.advance(1);
    expect(strike?.ended.aborted).toBe(true);
    expect(faults.strike({ at: 'http-in' })).toEqual([]);
    expect(faults.list()).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  it('does not strike after its end, however late the timer is that ends it', async () => {
    const { faults, clock } = faultsForTests();
    faults.put({ ...errors, ttlSeconds: 1 });
    clock.now = () => Date.UTC(2040, 0, 1);
    expect(faults.strike({ at: 'http-in' })).toEqual([]);
    expect(faults.list()).toEqual([]);
  });

  it('of the process is over with its milliseconds', () => {
    const { faults, clock } = faultsForTests();
    const pause = faults.put(aFault({ at: 'process', kind: 'pause', milliseconds: 5000 }));
    expect(pause.expiresAt - clock.now()).toBe(5000);
  });

  it('is ended by hand, once, and says how it was', () => {
    const { faults, clock } = faultsForTests();
    faults.put(errors);
    const [strike] = faults.strike({ at: 'http-in' });
    expect(faults.end('errors')).toMatchObject({ name: 'errors', struck: 1 });
    expect(strike?.ended.aborted).toBe(true);
    expect(faults.end('errors')).toBeUndefined();
    expect(faults.strike({ at: 'http-in' })).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  it('takes the place of one of the same name, and counts from zero', async () => {
    const { faults, clock } = faultsForTests();
    faults.put({ ...errors, ttlSeconds: 1 });
    const [strike] = faults.strike({ at: 'http-in' });
    faults.put({ ...errors, ttlSeconds: 10 });
    expect(strike?.ended.aborted).toBe(true);
    await clock.advance(2000);
    expect(faults.list()).toMatchObject([{ name: 'errors', struck: 0, ttlSeconds: 10 }]);
  });

  it('strikes together with others, in the order in which they began; all of them can be ended at once', () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ name: 'slow', at: 'http-in', kind: 'latency', milliseconds: 5 }));
    faults.put(errors);
    expect(names(faults.strike({ at: 'http-in' }))).toEqual(['slow', 'errors']);
    expect(faults.endAll().map(({ name }) => name)).toEqual(['slow', 'errors']);
    expect(faults.list()).toEqual([]);
  });
});

describe('a filter', () => {
  const ours = { orderId: 'an-order', topic: 'payment.commands' };
  const filtered = aFault({ name: 'filtered', at: 'consume', kind: 'error', match: ours });

  it('lets a fault strike only what has everything that it asks for', () => {
    const { faults } = faultsForTests();
    faults.put(filtered);
    const strike = (...carried: readonly Record<string, string>[]) =>
      names(faults.strike({ at: 'consume', carries: () => carried }));
    expect(strike(ours)).toEqual(['filtered']);
    expect(strike({ ...ours, customerId: 'customer-1' })).toEqual(['filtered']);
    expect(strike({ ...ours, topic: 'order.events' })).toEqual([]);
    expect(strike({ orderId: 'an-order' })).toEqual([]);
    expect(strike()).toEqual([]);
  });

  it('is met by one of many: the fault hears which', () => {
    const { faults, told } = faultsForTests();
    faults.put(filtered);
    faults.strike({ at: 'consume', carries: () => [{ orderId: 'another' }, ours] });
    expect(told).toEqual([{ name: 'filtered', concerned: [ours] }]);
  });

  it('waits for the look at which something is known; what has no filter has struck before', () => {
    const { faults } = faultsForTests();
    faults.put({ ...filtered, at: 'http-in' });
    faults.put(errors);
    expect(names(faults.strike({ at: 'http-in' }))).toEqual(['errors']);
    expect(names(faults.strike({ at: 'http-in', carries: () => [ours], onlyFiltered: true }))).toEqual([
      'filtered',
    ]);
  });

  it('that asks for nothing is none', () => {
    const { faults } = faultsForTests();
    faults.put({ ...errors, match: {} });
    expect(names(faults.strike({ at: 'http-in' }))).toEqual(['errors']);
  });

  it('costs a port nothing while no fault is there', () => {
    const { faults } = faultsForTests();
    faults.put(errors);
    const unasked = () => {
      throw new Error('nobody needed to know');
    };
    expect(faults.strike({ at: 'consume', carries: unasked })).toEqual([]);
  });
});
