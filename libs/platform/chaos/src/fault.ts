import { z } from 'zod';

/** What a filter can ask for. */
export const filters = ['orderId', 'customerId', 'protocol', 'topic'] as const;
export type Filter = (typeof filters)[number];

/** What is known of something that passes a port. */
export type Facts = Readonly<Partial<Record<Filter | 'traceparent', string>>>;

/** What a fault is asked for as; whether its place, kind and members go together is for `complaintsAbout` to say. */
export const FaultBody = z.strictObject({
  at: z.string().max(100),
  kind: z.string().max(40),
  rate: z.number().min(0).max(1).default(1),
  milliseconds: z.int().min(1).max(600_000).optional(),
  status: z.int().min(400).max(599).optional(),
  ttlSeconds: z.number().min(1).max(3600).default(60),
  match: z
    .strictObject({
      orderId: z.uuid().toLowerCase().optional(),
      customerId: z.string().min(1).max(100).optional(),
      protocol: z.string().min(1).max(40).optional(),
      topic: z.string().min(1).max(100).optional(),
    })
    .optional(),
});
export type FaultBody = z.output<typeof FaultBody>;

/** Lower-case letters, digits and hyphens: it is a part of an address. */
export const FaultName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'must be 1 to 60 lower-case letters, digits and hyphens');

export interface Fault extends FaultBody {
  readonly name: string;
}

/** Whether a fault is meant for this: everything that it asks for is so. */
export function concerns(fault: Pick<Fault, 'match'>, facts: Facts): boolean {
  return filters.every((filter) => {
    const wanted = fault.match?.[filter];
    return wanted === undefined || wanted === facts[filter];
  });
}

export function isFiltered({ match }: Pick<Fault, 'match'>): boolean {
  return filters.some((filter) => match?.[filter] !== undefined);
}

/** When a fault that begins now ends. What is over with its own milliseconds does not outlive them. */
export function endOf({ at, milliseconds, ttlSeconds }: FaultBody, now: number): number {
  return now + (at === 'process' && milliseconds !== undefined ? milliseconds : ttlSeconds * 1000);
}
