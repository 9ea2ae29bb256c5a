import { inventoryCommands, partitionsOf } from '@faultline/contracts';
import { consumeInSteps, messageDecoder } from '@faultline/outbox';
import type { Consumption, Parts } from '@faultline/service';
import { meter } from '@faultline/telemetry';
import { type StockCommand, stockStep } from '../stock/stock.step.js';

/** The orchestrated saga reaches inventory by its command topic; every batch of it is one step. */
export function sagaCommands(parts: Parts): Consumption {
  const commands = meter('faultline.inventory').createCounter('faultline.inventory.commands', {
    description: 'stock commands decided, by outcome',
  });
  return {
    groupId: 'inventory',
    topics: ['inventory.commands'],
    handle: consumeInSteps<StockCommand>({
      database: parts.database,
      consumer: 'inventory',
      decode: messageDecoder(inventoryCommands),
      step: stockStep({
        source: '/inventory',
        partitionsOf,
        onOutcome: (command, outcome) => commands.add(1, { command, outcome }),
        onCommit: () => parts.hint(),
      }),
      log: parts.log,
    }),
  };
}
