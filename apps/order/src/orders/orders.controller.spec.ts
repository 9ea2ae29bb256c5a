import { EventEmitter } from 'node:events';
import type { Request, Response } from 'express';
import { describe, expect, it } from '@jest/globals';
import { anOrder } from './an-order.spec-data.js';
import { approve, settle, type Order } from './order.js';
import { OrdersController, waitOf } from './orders.controller.js';
import type { OrderQueries } from './orders.queries.js';
import type { PlacingOrders } from './placing-orders.js';
import { OrderTimeline } from './timeline.js';
import { OrderWatch } from './watching.js';

const order = anOrder();
const body = {
  customerId: 'customer-1',
  lines: [],
  payment: { method: 'wallet' },
  protocol: 'saga',
} as const;

/** As much of a response as the controller uses; to write after its end is the error that it is in Node. */
class AResponse extends EventEmitter {
  statusCode = 0;
  ended = false;
  headersSent = false;
  readonly written: string[] = [];
  status(code: number): this {
    this.statusCode = code;
    return this;
  }
  setHeader(): this {
    return this;
  }
  writeHead(): this {
    return this;
  }
  write(text: string): boolean {
    if (this.ended) throw new Error('write after end');
    this.written.push(text);
    return true;
  }
  end(): void {
    this.ended = true;
  }
  as(): Response {
    return this as unknown as Response;
  }
}

function controllerWith(find: () => Promise<Order | null>): {
  controller: OrdersController;
  watch: OrderWatch;
} {
  const watch = new OrderWatch(() => Promise.reject(new Error('the database is away')), {
    shortest: 20,
    longest: 20,
  });
  const placing = { place: () => Promise.resolve({ order, replayed: false }) } as unknown as PlacingOrders;
  const queries = { find } as unknown as OrderQueries;
  return { controller: new OrdersController(placing, queries, watch, new OrderTimeline(new Map())), watch };
}

describe('an order that was accepted', () => {
  it('is answered in the time its customer is willing to wait, although the database fails or is frozen', async () => {
    const response = new AResponse();
    const { controller } = controllerWith(() => Promise.reject(new Error('the database is away')));
    const began = performance.now();
    const shown = await controller.place('key', { ...body, lines: [] }, 'wait=1', response.as());
    expect([response.statusCode, shown.status, shown.orderId]).toEqual([202, 'PENDING', order.orderId]);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('is answered 200 as soon as it is decided', async () => {
    const response = new AResponse();
    const { controller, watch } = controllerWith(() => new Promise(() => undefined));
    const answer = controller.place('key', { ...body, lines: [] }, 'wait=30', response.as());
    await new Promise((resolve) => setImmediate(resolve));
    watch.announce([approve(order, 5)]);
    expect([(await answer).status, response.statusCode]).toEqual(['APPROVED', 200]);
  });
});

describe('the stream of an order', () => {
  it('ends with its settlement, and an older row that arrives later is not written', async () => {
    let finds = 0;
    let answerLate: (found: Order) => void = () => undefined;
    const late = new Promise<Order>((resolve) => (answerLate = resolve));
    const { controller, watch } = controllerWith(() => ((finds += 1) === 1 ? Promise.resolve(order) : late));
    const response = new AResponse();
    const streaming = controller.stream(
      order.orderId,
      new EventEmitter() as unknown as Request,
      response.as(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    watch.announce([settle(approve(order, 5), 7)]);
    expect(response.ended).toBe(true);
    answerLate(order);
    await streaming;
    expect(response.written).toHaveLength(2);
    expect(response.written[1]).toContain('"SETTLED"');
  });

  it('never goes back', async () => {
    let finds = 0;
    let answerLate: (found: Order) => void = () => undefined;
    const late = new Promise<Order>((resolve) => (answerLate = resolve));
    const { controller, watch } = controllerWith(() => ((finds += 1) === 1 ? Promise.resolve(order) : late));
    const response = new AResponse();
    const streaming = controller.stream(
      order.orderId,
      new EventEmitter() as unknown as Request,
      response.as(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    watch.announce([approve(order, 5)]);
    answerLate(order);
    await streaming;
    expect(response.written.map((text) => /"status":"(\w+)"/.exec(text)?.[1])).toEqual([
      'PENDING',
      'APPROVED',
    ]);
    watch.announce([settle(approve(order, 5), 7)]);
    expect(response.ended).toBe(true);
  });
});

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
