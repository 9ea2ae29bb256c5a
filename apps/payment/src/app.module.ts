import { withChaos } from '@faultline/chaos';
import { partitionsOf } from '@faultline/contracts';
import { attemptTimeout, breaker, bulkhead, deadline, retriedByTheCaller } from '@faultline/resilience';
import type { Parts, Service } from '@faultline/service';
import { CardCalls } from './cards/card.calls.js';
import { cardGateway } from './cards/card-gateway.js';
import { type Config, readConfig } from './config.js';
import { createDemoData } from './demo-data.js';
import { sagaCommands } from './participants/saga-commands.consumer.js';
import { WalletCommands } from './wallets/wallet.commands.js';
import { WalletController } from './wallets/wallet.controller.js';
import { WalletQueries } from './wallets/wallet.queries.js';

class PaymentModule {}

// A card that is slow is answered after 3 s, and that is no failure; what takes a second longer is none that we wait for.
const attemptWithin = 4000;

export const payment: Service<Config> = withChaos({
  name: 'payment',
  title: 'Faultline payment',
  description:
    'Wallets with a double-entry ledger, and what is held of them for orders. A participant of every protocol.',
  config: readConfig,
  migrations: new URL('../prisma/migrations/', import.meta.url),
  module: ({ config, database }) => ({
    module: PaymentModule,
    controllers: [WalletController],
    providers: [
      { provide: WalletCommands, useFactory: () => new WalletCommands(database) },
      { provide: WalletQueries, useFactory: () => new WalletQueries(config.DATABASE_URL) },
    ],
  }),
  prepare: async ({ config, database }) => {
    if (config.FAULTLINE_DEMO_DATA === 'on') await createDemoData(new WalletCommands(database));
  },
  consumers: (parts) => [sagaCommands(parts, callsOf(parts))],
  workers: (parts) => [callsOf(parts)],
});

/** What consumers and workers of one running service share. */
const shared = new WeakMap<Parts<Config>, CardCalls>();

function callsOf(parts: Parts<Config>): CardCalls {
  const known = shared.get(parts);
  if (known) return known;
  const { config, database, instance, log, resilience, hint } = parts;
  const client = parts.httpClient({
    baseUrl: config.PAYMENT_GATEWAY_URL,
    name: 'payment-gateway',
    timeoutMs: attemptWithin,
    serviceToken: config.FAULTLINE_SERVICE_TOKEN,
  });
  const pipeline = resilience.pipeline(
    'payment-gateway',
    deadline({ within: attemptWithin + 500 }),
    bulkhead({ limit: 16, queue: 16 }),
    // Due work repeats, and no layer beside it. Ten a second come by themselves: after an outage everything that is owed
    // is a repeat, and with a fifth of what is new alone the last of it would wait for minutes.
    retriedByTheCaller({ ratio: 0.2, capacity: 50, perSecond: 10 }),
    // Five seconds back: in ten, those before a fault would outweigh it for longer than anybody should wait.
    breaker({ minimum: 8, window: 5000, failureRate: 0.5, slowAfter: 3500, slowRate: 0.8 }),
    attemptTimeout({ within: attemptWithin }),
  );
  // Of ten connections four: while hundreds of cards are owed their calls, commands and requests find one free.
  const inTurn = resilience.pipeline('card-transactions', bulkhead({ limit: 4, queue: 64 }));
  const calls = new CardCalls({
    database,
    gateway: cardGateway(client, pipeline),
    owner: instance,
    log,
    source: '/payment',
    partitionsOf,
    onCommit: hint,
    inTurn: (work) => inTurn.execute(work),
  });
  shared.set(parts, calls);
  return calls;
}
