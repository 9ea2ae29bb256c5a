import type { Service } from '@faultline/service';
import { type Config, readConfig } from './config.js';
import { createDemoData } from './demo-data.js';
import { sagaCommands } from './participants/saga-commands.consumer.js';
import { WalletCommands } from './wallets/wallet.commands.js';
import { WalletController } from './wallets/wallet.controller.js';
import { WalletQueries } from './wallets/wallet.queries.js';

class PaymentModule {}

export const payment: Service<Config> = {
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
  consumers: (parts) => [sagaCommands(parts)],
};
