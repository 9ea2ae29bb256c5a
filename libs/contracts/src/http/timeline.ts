import { z } from 'zod';

/** One thing that a service did for an order, as its journal holds it. */
export const JournalEntry = z.object({
  service: z.string(),
  at: z.iso.datetime(),
  /** What was handled: a command, a reply, an event, a deadline, an operator's action. */
  what: z.string(),
  messageId: z.string().nullable(),
  causationId: z.string().nullable(),
  attempt: z.int(),
  outcome: z.string(),
  detail: z.unknown(),
});
export type JournalEntry = z.infer<typeof JournalEntry>;

export const Timeline = z.object({
  orderId: z.uuid(),
  entries: z.array(JournalEntry),
  /** Services whose part is missing because they did not answer. */
  unanswered: z.array(z.string()),
});
export type Timeline = z.infer<typeof Timeline>;
