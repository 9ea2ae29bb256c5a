import { z } from 'zod';
import { OrderId, Quantity, Sku } from '../money.js';
import { messageKind } from './message.js';

const topic = 'inventory.commands';
const line = z.object({ sku: Sku, quantity: Quantity });
/** `attempt` counts how often the orchestrator has sent this command: 1 is the first. */
const command = z.object({ orderId: OrderId, attempt: z.int().min(1) });

export const reserveStock = messageKind(
  'faultline.inventory.reserve-stock.v1',
  topic,
  command.extend({ lines: z.array(line).min(1).max(50) }),
  'Keep these quantities for this order, all or nothing. Refused when it arrives after its deadline.',
);
export const releaseStock = messageKind(
  'faultline.inventory.release-stock.v1',
  topic,
  command,
  'Undo the reservation. May overtake it: then it leaves a tombstone that refuses the late one.',
);
export const confirmStock = messageKind(
  'faultline.inventory.confirm-stock.v1',
  topic,
  command,
  'The reserved quantities are sold.',
);
export const returnStock = messageKind(
  'faultline.inventory.return-stock.v1',
  topic,
  command,
  'Undo the sale: what was sold, or only reserved, is available again.',
);

export const inventoryCommands = [reserveStock, releaseStock, confirmStock, returnStock] as const;
