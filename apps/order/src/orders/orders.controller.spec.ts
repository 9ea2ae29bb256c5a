import { describe, expect, it } from '@jest/globals';
import { waitOf } from './orders.controller.js';

describe('Prefer: wait', () => {
  it.each([
    [undefined, null],
    ['respond-async', null],
    ['wait=soon', null],
    ['wait=10', 10],
    ['respond-async, wait=10', 10],
    ['wait="7"', 7],
    ['wait=0', 1],
    ['wait=31', 30],
  ])('of %s is %s seconds', (prefer, seconds) => {
    expect(waitOf(prefer)).toBe(seconds);
  });
});
