import { withChaos } from '@faultline/chaos';
import {
  Timeline as TimelineSchema,
  StockList,
  participantReplies,
  partitionsOf,
  JournalEntry,
} from '@faultline/contracts';
import { DueWorker } from '@faultline/due-work';
import { requestDeadline } from '@faultline/http-server';
import { journalOf } from '@faultline/journal';
import { consumeInSteps, messageDecoder, outboxDepth } from '@faultline/outbox';
import { attemptTimeout, breaker, bulkhead, deadline } from '@faultline/resilience';
import { SagaDefinitions } from '@faultline/saga';
import type { Parts, Service } from '@faultline/service';
import { currentTraceparent, withSpans } from '@faultline/telemetry';
import { PrismaPg } from '@prisma/adapter-pg';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Catalogue, priceListFrom } from './catalogue/catalogue.js';
import { config, type OrderConfig } from './config.js';
import { PrismaClient } from './generated/client.js';
import { AuditController } from './operations/audit.controller.js';
import { orderMetrics } from './operations/metrics.js';
import { OrderAudits } from './operations/order-audit.js';
import { Acceptance, forgetExpiredKeys } from './orders/acceptance.js';
import { Intake } from './orders/intake.js';
import type { Order } from './orders/order.js';
import { findOrders } from './orders/order.store.js';
import { OrdersController } from './orders/orders.controller.js';
import { OrderQueries } from './orders/orders.queries.js';
import { PlacingOrders } from './orders/placing-orders.js';
import { OrderTimeline } from './orders/timeline.js';
import { OrderWatch } from './orders/watching.js';
import { orderProtocols } from './protocols/index.js';
import { placeOrderSaga } from './protocols/saga/place-order.saga.js';
import { SagaOperations } from './protocols/saga/saga-operations.js';
import { dueStep, replyStep, type Reply, type SagaStepOptions } from './protocols/saga/saga-step.js';
import { sagaDueWork } from './protocols/saga/saga.protocol.js';
import { SagasController } from './protocols/saga/sagas.controller.js';

class OrderModule {}

export const orderService: Service<OrderConfig> = withChaos({
  name: 'order',
  title: 'Faultline order',
  description: 'Orders, their life, and the protocols that carry them across the services.',
  config,
  migrations: new URL('../prisma/migrations/', import.meta.url),

  module(parts) {
    const { acceptance, catalogue, intake, protocols, queries, watch, steps, prisma } = assembly(parts);
    const place = new PlacingOrders(
      acceptance,
      catalogue,
      protocols,
      uuidv7,
      () => currentTraceparent() ?? '',
      () => intake.refusal(),
    );
    return {
      module: OrderModule,
      controllers: [OrdersController, SagasController, AuditController],
      providers: [
        { provide: PlacingOrders, useValue: place },
        { provide: OrderQueries, useValue: queries },
        { provide: OrderWatch, useValue: watch },
        { provide: OrderTimeline, useValue: new OrderTimeline(journals(parts)) },
        { provide: SagaOperations, useValue: new SagaOperations(parts.database, prisma, steps) },
        { provide: OrderAudits, useValue: new OrderAudits(prisma) },
      ],
    };
  },

  consumers(parts) {
    const { database, log } = parts;
    return [
      {
        groupId: 'order',
        topics: ['order.replies'],
        handle: consumeInSteps<Reply>({
          database,
          consumer: 'order',
          decode: messageDecoder(participantReplies),
          step: replyStep(assembly(parts).steps),
          log,
        }),
      },
    ];
  },

  sweep: ({ database }) => forgetExpiredKeys(database),

  workers(parts) {
    const { database, log, instance } = parts;
    const { steps, prisma, intake } = assembly(parts);
    const due = dueStep(steps);
    return [
      new DueWorker({
        database,
        kind: sagaDueWork,
        owner: instance,
        log,
        async run(claimed) {
          const committed = await withSpans((open) => database.transaction((tx) => due(tx, claimed, open)));
          committed();
        },
      }),
      intake,
      {
        start: () => undefined,
        stop: () => prisma.$disconnect(),
      },
    ];
  },
});

/** What module, consumers and workers of one running service share. */
function assemble(parts: Parts<OrderConfig>) {
  const { config: settings, database, hint } = parts;
  const prisma = new PrismaClient({
    adapter: new PrismaPg({
      connectionString: settings.DATABASE_URL,
      max: 4,
      // Reads for people: a frozen database costs them an answer, and nobody a connection for ever.
      connectionTimeoutMillis: 3000,
      statement_timeout: 8000,
      query_timeout: 10_000,
    }),
  });
  const queries = new OrderQueries(prisma);
  const watch = new OrderWatch((orderIds) => findOrders(database, orderIds));
  const protocols = orderProtocols(uuidv7);
  const metrics = orderMetrics(database);
  const neighbours = {
    inventory: neighbour(parts, 'inventory', settings.INVENTORY_URL),
    payment: neighbour(parts, 'payment', settings.PAYMENT_URL),
  };
  const catalogue = new Catalogue(
    // Many requests share one reading: the deadline of none of them ends it.
    priceListFrom((path) => neighbours.inventory(path, StockList)),
    {
      freshFor: settings.CATALOGUE_FRESH_SECONDS * 1000,
      usableFor: settings.CATALOGUE_USABLE_SECONDS * 1000,
      clock: () => performance.now(),
    },
  );
  const acceptance = new Acceptance({ database, protocols, source: '/order', partitionsOf, committed: hint });
  const steps: SagaStepOptions = {
    definitions: new SagaDefinitions<Order>([placeOrderSaga]),
    source: '/order',
    partitionsOf,
    newId: uuidv7,
    committed(orders, answered) {
      hint();
      watch.announce(orders);
      metrics(orders, answered);
    },
  };
  const intake = new Intake({
    outbox: () => outboxDepth(database),
    mostRows: settings.INTAKE_MOST_ROWS,
    oldestAge: settings.INTAKE_OLDEST_AGE_SECONDS,
  });
  return { prisma, queries, watch, protocols, catalogue, acceptance, steps, neighbours, intake };
}

/** Asks another service. A definite no is an answer; nothing is repeated here: whoever asks has something else to show. */
type Ask = <Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  until?: { readonly deadline: number },
) => Promise<z.output<Schema>>;

function neighbour(
  { config: settings, resilience, httpClient }: Parts<OrderConfig>,
  name: string,
  baseUrl: string,
): Ask {
  const client = httpClient({
    baseUrl,
    name,
    timeoutMs: 2000,
    serviceToken: settings.FAULTLINE_SERVICE_TOKEN,
  });
  const pipeline = resilience.pipeline(
    name,
    deadline({ within: 2000 }),
    bulkhead({ limit: 8, queue: 64 }),
    breaker({ minimum: 5, failureRate: 0.5, slowAfter: 800, slowRate: 0.8 }),
    attemptTimeout({ within: 1000 }),
  );
  return (path, schema, until = { deadline: Infinity }) =>
    pipeline.execute(
      ({ signal, remainingMs }) => client.send({ method: 'GET', path, signal, remainingMs }, schema),
      until,
    );
}

const assemblies = new WeakMap<Parts<OrderConfig>, ReturnType<typeof assemble>>();

function assembly(parts: Parts<OrderConfig>): ReturnType<typeof assemble> {
  const known = assemblies.get(parts) ?? assemble(parts);
  assemblies.set(parts, known);
  return known;
}

const JournalAnswer = z.object({ entries: TimelineSchema.shape.entries });

/** Whom the timeline asks: the own journal, and the participants' over HTTP. */
function journals(parts: Parts<OrderConfig>): ConstructorParameters<typeof OrderTimeline>[0] {
  const { database } = parts;
  const { neighbours } = assembly(parts);
  const remote = (ask: Ask) => async (orderId: string) =>
    (await ask(`/internal/journal/${orderId}`, JournalAnswer, { deadline: requestDeadline() })).entries;
  return new Map([
    [
      'order',
      async (orderId: string): Promise<JournalEntry[]> =>
        (await journalOf(database, orderId)).map((row) => JournalEntry.parse({ service: 'order', ...row })),
    ],
    ['inventory', remote(neighbours.inventory)],
    ['payment', remote(neighbours.payment)],
  ]);
}
