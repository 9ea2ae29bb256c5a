import {
  type CardAuthorization,
  CardBook,
  CardBookEntries,
  InventoryAudit,
  OrderAudit,
  type OrderView,
  PaymentAudit,
} from '@faultline/contracts';
import { z } from 'zod';
import type { Client } from '../client.js';
import { send } from '../http.js';
import { GATEWAY, SERVICES, type System } from '../system.js';
import type { DeadLetter } from './tables.js';

/** What the three services vouch for, as anybody may read it over HTTP. */
export interface Books {
  readonly orders: OrderAudit;
  readonly stock: InventoryAudit;
  readonly money: PaymentAudit;
  /** What the card gateway says of itself: the books of a party that we do not own. */
  readonly gateway: { readonly sums: CardBook; readonly entries: readonly CardAuthorization[] };
  /** Every order that the service lists. */
  readonly listed: readonly OrderView[];
}

export async function readBooks({ urls }: Pick<System, 'urls'>, client: Client): Promise<Books> {
  return {
    orders: await read(`${urls.order}/audit`, OrderAudit),
    stock: await read(`${urls.inventory}/audit`, InventoryAudit),
    money: await read(`${urls.payment}/audit`, PaymentAudit),
    gateway: {
      sums: await read(`${urls[GATEWAY]}/book`, CardBook),
      entries: await cardEntries(urls[GATEWAY]),
    },
    listed: await client.listed(),
  };
}

async function cardEntries(url: string): Promise<CardAuthorization[]> {
  const entries: CardAuthorization[] = [];
  let cursor: string | null = '0';
  while (cursor !== null) {
    const page: CardBookEntries = await read(`${url}/book/entries?cursor=${cursor}`, CardBookEntries);
    entries.push(...page.items);
    cursor = page.nextCursor;
  }
  return entries;
}

const DeadLetters = z.object({
  items: z.array(
    z.looseObject({
      id: z.string(),
      consumer: z.string(),
      topic: z.string(),
      messageId: z.string(),
      reason: z.string(),
      status: z.string(),
    }),
  ),
});

/** The latest dead letters of every service. */
export async function deadLetters({ urls }: Pick<System, 'urls'>): Promise<DeadLetter[]> {
  const pages = await Promise.all(
    SERVICES.map((service) => read(`${urls[service]}/dead-letters`, DeadLetters)),
  );
  return pages.flatMap(({ items }) => items);
}

/** Throws unless the answer is 200 and has the shape. */
export async function read<T>(url: string, schema: z.ZodType<T>): Promise<T> {
  const answer = await send(url);
  if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status} ${answer.text}`);
  return schema.parse(answer.json());
}
