import { OrderView, PlaceOrder, Timeline } from '@faultline/contracts';
import {
  AcceptsJson,
  Answers,
  IdempotencyKey,
  onlyWaits,
  Problem,
  Zod,
  whenDraining,
} from '@faultline/http-server';
import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { isDecided, viewOf, type Order } from './order.js';
import { OrderQueries } from './orders.queries.js';
import { PlacingOrders } from './placing-orders.js';
import { OrderTimeline } from './timeline.js';
import { OrderWatch } from './watching.js';

const OrderIdParam = z.uuid();
const ListQuery = z.strictObject({
  status: OrderView.shape.status.optional(),
  protocol: OrderView.shape.protocol.optional(),
  customerId: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.uuid().optional(),
});
type ListQuery = z.infer<typeof ListQuery>;
const OrderList = z.object({ items: z.array(OrderView), nextCursor: z.string().nullable() });

@ApiTags('orders')
@Controller('orders')
export class OrdersController {
  constructor(
    @Inject(PlacingOrders) private readonly placing: PlacingOrders,
    @Inject(OrderQueries) private readonly queries: OrderQueries,
    @Inject(OrderWatch) private readonly watch: OrderWatch,
    @Inject(OrderTimeline) private readonly timelines: OrderTimeline,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Place an order',
    description:
      'Repeat with the same Idempotency-Key until the answer is definite: it places one order. ' +
      'With `Prefer: wait=10` the answer is held until the order is decided, at most so many seconds.',
  })
  @AcceptsJson(PlaceOrder)
  @Answers(202, OrderView, 'Accepted and durable; not decided yet')
  @Answers(200, OrderView, 'Decided in time (with Prefer: wait), or a replay of a decided order')
  async place(
    @IdempotencyKey() key: string,
    @Body(new Zod(PlaceOrder)) body: PlaceOrder,
    @Headers('prefer') prefer: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OrderView> {
    const { order, replayed } = await this.placing.place(key, body);
    const seconds = waitOf(prefer);
    // Accepted: from here on it only waits, and holds nobody back.
    onlyWaits(response);
    const shown = seconds === null ? order : await this.#decided(order, seconds, response);
    response.status((replayed || seconds !== null) && isDecided(shown) ? 200 : 202);
    response.setHeader('location', `/orders/${order.orderId}`);
    if (replayed) response.setHeader('idempotency-replayed', 'true');
    if (seconds !== null) response.setHeader('preference-applied', `wait=${seconds}`);
    return viewOf(shown);
  }

  @Get()
  @ApiOperation({ summary: 'Orders, newest first' })
  @Answers(200, OrderList, 'A page of orders')
  async list(@Query(new Zod(ListQuery)) query: ListQuery): Promise<z.infer<typeof OrderList>> {
    return this.queries.list(query);
  }

  @Get(':orderId')
  @ApiOperation({ summary: 'One order as it stands' })
  @Answers(200, OrderView, 'The order')
  async get(@Param('orderId') orderId: string): Promise<OrderView> {
    return viewOf(await this.#find(orderId));
  }

  @Get(':orderId/timeline')
  @ApiOperation({ summary: 'What every service did for this order, in causal order' })
  @Answers(200, Timeline, 'The merged journals, and who did not answer')
  async timeline(@Param('orderId') orderId: string): Promise<Timeline> {
    const order = await this.#find(orderId);
    return this.timelines.of(order.orderId);
  }

  @Get(':orderId/stream')
  @ApiOperation({ summary: 'The order each time it changes, as server-sent events; ends when it is settled' })
  async stream(
    @Param('orderId') orderId: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const order = await this.#find(orderId);
    onlyWaits(response);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    let last = '';
    let progress = 0;
    let ended = false;
    const push = (current: Order): void => {
      // A look-up may answer with a row that is older than what was announced meanwhile.
      if (ended || progressOf(current) < progress) return;
      progress = progressOf(current);
      const shown = JSON.stringify(viewOf(current));
      if (shown !== last) response.write(`event: order\ndata: ${shown}\n\n`);
      last = shown;
      if (current.status !== 'PENDING' && 'settledAt' in current) end();
    };
    const end = (): void => {
      ended = true;
      stop();
      response.end();
    };
    const stop = this.watch.watch(order.orderId, push);
    request.on('close', stop);
    response.on('error', stop);
    whenDraining(response, end);
    push(order);
    // What changed between the look-up and the first callback.
    push((await this.queries.find(order.orderId).catch(() => null)) ?? order);
  }

  @Post(':orderId/cancel')
  @HttpCode(409)
  @ApiOperation({ summary: 'Cancel an approved order (not available yet)' })
  async cancel(@Param('orderId') orderId: string): Promise<never> {
    const order = await this.#find(orderId);
    throw new Problem({
      status: 409,
      title: 'Orders cannot be cancelled yet',
      detail: `Order ${order.orderId} is ${order.status}. Cancelling comes with a later version.`,
      ...(order.status === 'PENDING' ? { headers: { 'retry-after': '1' } } : {}),
    });
  }

  async #find(orderId: string): Promise<Order> {
    const order = OrderIdParam.safeParse(orderId).success ? await this.queries.find(orderId) : null;
    if (!order)
      throw new Problem({ status: 404, title: 'No such order', detail: `There is no order ${orderId}.` });
    return order;
  }

  async #decided(order: Order, seconds: number, response: Response): Promise<Order> {
    if (isDecided(order)) return order;
    // A service that stops, and a client that has gone, are waited for no longer: the order is accepted in any case.
    const over = new AbortController();
    const end = (): void => {
      over.abort();
    };
    whenDraining(response, end);
    response.once('close', end);
    // Decided between its commit and this watch it is found by the next poll: a look at once, for each order, cost as
    // much as its acceptance.
    const decided = await this.watch.waitFor(order.orderId, isDecided, seconds * 1000, over.signal);
    // The answer itself closes the response, and an abort costs an error with its stack.
    response.off('close', end);
    return decided ?? order;
  }
}

function progressOf(order: Order): number {
  if (order.status === 'PENDING') return 0;
  return 'settledAt' in order ? 2 : 1;
}

/** RFC 7240: seconds of `Prefer: wait=N`, between 1 and 30; null when nothing (legible) is preferred. */
export function waitOf(prefer: string | undefined): number | null {
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d+)"?/i.exec(prefer ?? '');
  if (!match) return null;
  return Math.min(Math.max(Number(match[1]), 1), 30);
}
