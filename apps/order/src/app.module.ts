import {
  Timeline as TimelineSchema,
  StockList,
  participantReplies,
  partitionsOf,
  JournalEntry,
} from '@faultline/contracts';
import { DueWorker } from '@faultline/due-work';
import { httpClient } from '@faultline/http-client';
import { journalOf } from '@faultline/journal';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
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

export const orderService: Service<OrderConfig> = {
  name: 'order',
  title: 'Faultline order',
  description: 'Orders, their life, and the protocols that carry them across the services.',
  config,
  migrations: new URL('../prisma/migrations/', import.meta.url),

  module(parts) {
    const { acceptance, catalogue, protocols, queries, watch, steps, prisma } = assembly(parts);
    const place = new PlacingOrders(
      acceptance,
      catalogue,
      protocols,
      uuidv7,
      () => currentTraceparent() ?? '',
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
    const { steps, prisma } = assembly(parts);
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
      {
        start: () => undefined,
        stop: () => prisma.$disconnect(),
      },
    ];
  },
};

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
  const inventory = httpClient({ baseUrl: settings.INVENTORY_URL, name: 'inventory', timeoutMs: 2000 });
  const catalogue = new Catalogue(
    priceListFrom((path) => inventory.get(path, StockList)),
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
  return { prisma, queries, watch, protocols, catalogue, acceptance, steps };
}

const assemblies = new WeakMap<Parts<OrderConfig>, ReturnType<typeof assemble>>();

function assembly(parts: Parts<OrderConfig>): ReturnType<typeof assemble> {
  const known = assemblies.get(parts) ?? assemble(parts);
  assemblies.set(parts, known);
  return known;
}

const JournalAnswer = z.object({ entries: TimelineSchema.shape.entries });

/** Whom the timeline asks: the own journal, and the participants' over HTTP. */
function journals({
  config: settings,
  database,
}: Parts<OrderConfig>): ConstructorParameters<typeof OrderTimeline>[0] {
  const remote = (name: string, baseUrl: string) => {
    const client = httpClient({
      baseUrl,
      name,
      timeoutMs: 1000,
      serviceToken: settings.FAULTLINE_SERVICE_TOKEN,
    });
    return async (orderId: string): Promise<JournalEntry[]> =>
      (await client.get(`/internal/journal/${orderId}`, JournalAnswer)).entries;
  };
  return new Map([
    [
      'order',
      async (orderId: string): Promise<JournalEntry[]> =>
        (await journalOf(database, orderId)).map((row) => JournalEntry.parse({ service: 'order', ...row })),
    ],
    ['inventory', remote('inventory', settings.INVENTORY_URL)],
    ['payment', remote('payment', settings.PAYMENT_URL)],
  ]);
}
