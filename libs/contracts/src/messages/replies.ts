import { z } from 'zod';
import { OrderId } from '../money.js';
import { messageKind } from './message.js';

const topic = 'order.replies';

export const CommandName = z.enum([
  'reserve-stock',
  'release-stock',
  'confirm-stock',
  'return-stock',
  'authorize-payment',
  'void-payment',
  'capture-payment',
  'refund-payment',
]);
export type CommandName = z.infer<typeof CommandName>;

/** The reasons a participant gives. Those below the line are legal nowhere in a healthy run: the saga is suspended. */
export const RefusalReason = z.enum([
  'OUT_OF_STOCK',
  'INSUFFICIENT_FUNDS',
  'CARD_DECLINED',
  'UNKNOWN_CUSTOMER',
  'EXPIRED',
  'RELEASED', // reserve or authorize met the tombstone of its own release or void
  // ----
  'NOT_RESERVED',
  'ALREADY_CONFIRMED',
  'NOT_AUTHORIZED',
  'ALREADY_CAPTURED',
]);
export type RefusalReason = z.infer<typeof RefusalReason>;

const reply = z.object({ orderId: OrderId, command: CommandName, attempt: z.int().min(1) });

export const commandDone = messageKind(
  'faultline.participant.command-done.v1',
  topic,
  reply,
  'The command has taken effect, now or at an earlier attempt.',
);
export const commandRefused = messageKind(
  'faultline.participant.command-refused.v1',
  topic,
  reply.extend({ reason: RefusalReason, detail: z.string() }),
  'The command had no effect and never will: a repeated one gets the same answer.',
);
export const commandDeadLettered = messageKind(
  'faultline.participant.command-dead-lettered.v1',
  topic,
  reply.extend({ deadLetterId: z.uuid(), detail: z.string() }),
  'The participant could not handle the command; it waits among its dead letters for a redrive.',
);

export const participantReplies = [commandDone, commandRefused, commandDeadLettered] as const;
