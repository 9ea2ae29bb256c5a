import { withChaos } from '@faultline/chaos';
import type { Service } from '@faultline/service';
import { type Config, readConfig } from './config.js';
import { createDemoData } from './demo-data.js';
import { sagaCommands } from './participants/saga-commands.consumer.js';
import { StockCommands } from './stock/stock.commands.js';
import { StockController } from './stock/stock.controller.js';
import { StockQueries } from './stock/stock.queries.js';

class InventoryModule {}

export const inventory: Service<Config> = withChaos({
  name: 'inventory',
  title: 'Faultline inventory',
  description: 'Stock and reservations. A participant of every protocol; knows orders only by their id.',
  config: readConfig,
  migrations: new URL('../prisma/migrations/', import.meta.url),
  module: ({ config, database }) => ({
    module: InventoryModule,
    controllers: [StockController],
    providers: [
      { provide: StockCommands, useFactory: () => new StockCommands(database) },
      { provide: StockQueries, useFactory: () => new StockQueries(config.DATABASE_URL) },
    ],
  }),
  prepare: async ({ config, database }) => {
    if (config.FAULTLINE_DEMO_DATA === 'on') await createDemoData(new StockCommands(database));
  },
  consumers: (parts) => [sagaCommands(parts)],
});
