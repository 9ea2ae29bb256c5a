import type { Part } from '@faultline/database';
import type { Card, CardRefusal, Waiting } from './card.js';

interface CardRow {
  readonly order_id: string;
  readonly status: Card['status'];
  readonly customer_id: string | null;
  readonly amount: number | null;
  readonly card_token: string | null;
  readonly deadline: number | null;
  readonly asked: boolean;
  readonly reason: CardRefusal['reason'] | null;
  readonly detail: string | null;
  readonly waiting: Waiting[];
  readonly trouble: string | null;
}

/** A read part named `cards`: cardsOf makes cards of its rows. Their locks must be held. */
export const cardsPart = (orders: readonly string[]): Part => ({
  name: 'cards',
  text: `SELECT order_id, status, customer_id, amount, card_token,
  floor(extract(epoch FROM deadline) * 1000)::bigint AS deadline, asked, reason, detail, waiting, trouble
FROM card_payment WHERE order_id = ANY($1::uuid[])`,
  values: [orders],
});

export function cardsOf(rows: readonly unknown[] | undefined): Map<string, Card> {
  return new Map((rows as CardRow[] | undefined)?.map((row) => [row.order_id, cardOf(row)]));
}

/** Why the last call for each order was postponed; those whose last call was answered are not there. */
export function troublesOf(rows: readonly unknown[] | undefined): Map<string, string> {
  const all = (rows as CardRow[] | undefined) ?? [];
  return new Map(
    all.flatMap(({ order_id: orderId, trouble }) => (trouble === null ? [] : [[orderId, trouble]])),
  );
}

/**
 * What changed between the load and now, as the write parts `card-new` and `card`. For which another call is owed, or
 * none, is in no trouble any more.
 */
export function saveCards(
  before: ReadonlyMap<string, Card>,
  after: ReadonlyMap<string, Card>,
  now: number,
): Part[] {
  const changed = [...after].filter(([orderId, card]) => before.get(orderId) !== card);
  return [
    insertCards(
      changed.filter(([orderId]) => !before.has(orderId)),
      now,
    ),
    updateCards(
      changed.filter(([orderId]) => before.has(orderId)),
      now,
    ),
  ];
}

type Saved = readonly (readonly [string, Card])[];

// A plain INSERT: of two consumers that hold messages of one order during a rebalance, the second meets the first one's
// row here (23505), and is run again on what it then loads.
const insertCards = (cards: Saved, now: number): Part => ({
  name: 'card-new',
  text: `INSERT INTO card_payment (order_id, status, customer_id, amount, card_token, deadline, asked, reason, detail,
  waiting, created_at, updated_at)
SELECT order_id, status, customer_id, amount, card_token, to_timestamp(deadline / 1000), asked, reason, detail, waiting,
  to_timestamp($11::bigint / 1000.0), to_timestamp($11::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $7::text[], $8::bigint[], $9::text[], $10::float8[], $3::bool[], $4::text[],
    $5::text[], $6::jsonb[])
  AS new(order_id, status, customer_id, amount, card_token, deadline, asked, reason, detail, waiting)
ORDER BY order_id
RETURNING 1`,
  values: [
    ...states(cards),
    cards.map(([, { claim }]) => claim?.customerId ?? null),
    cards.map(([, { claim }]) => claim?.amount ?? null),
    cards.map(([, { claim }]) => claim?.cardToken ?? null),
    cards.map(([, card]) => (card.status === 'REQUESTED' ? card.deadline : null)),
    now,
  ],
});

const updateCards = (cards: Saved, now: number): Part => ({
  name: 'card',
  text: `UPDATE card_payment AS known SET status = new.status, asked = new.asked, reason = new.reason,
  detail = new.detail, waiting = new.waiting,
  trouble = CASE WHEN known.status = new.status THEN known.trouble END, updated_at = to_timestamp($7::bigint / 1000.0)
FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::jsonb[])
  AS new(order_id, status, asked, reason, detail, waiting)
WHERE known.order_id = new.order_id
RETURNING 1`,
  values: [...states(cards), now],
});

function states(cards: Saved): unknown[] {
  return [
    cards.map(([orderId]) => orderId),
    cards.map(([, { status }]) => status),
    cards.map(([, card]) => isAsked(card)),
    cards.map(([, card]) => refusalOf(card)?.reason ?? null),
    cards.map(([, card]) => refusalOf(card)?.detail ?? null),
    cards.map(([, card]) => JSON.stringify('waiting' in card ? card.waiting : [])),
  ];
}

/** A write part named `card-trouble`: why a call was postponed, and whether the gateway may have heard of the card. */
export const noteTrouble = (orderId: string, card: Card, trouble: string): Part => ({
  name: 'card-trouble',
  text: `UPDATE card_payment SET trouble = $2, asked = $3 WHERE order_id = $1 RETURNING 1`,
  values: [orderId, trouble, isAsked(card)],
});

const isAsked = (card: Card): boolean => card.status === 'REQUESTED' && card.asked;

function refusalOf(card: Card): CardRefusal | null {
  return 'refusal' in card ? card.refusal : null;
}

function cardOf(row: CardRow): Card {
  const { status, reason, detail, waiting, deadline, asked } = row;
  const { customer_id: customerId, amount, card_token: cardToken } = row;
  const claim =
    customerId === null || amount === null || cardToken === null ? null : { customerId, amount, cardToken };
  if (status === 'VOIDED') return { status, claim };
  if (!claim) throw new Error(`the card of order ${row.order_id} is ${status} and names no claim`);
  const refusal = reason === null ? null : { reason, detail: detail ?? '' };
  switch (status) {
    case 'REQUESTED':
      return { status, claim, deadline, asked, waiting };
    case 'RESOLVING':
    case 'VOIDING':
      return { status, claim, refusal, waiting };
    case 'CAPTURING':
    case 'REFUNDING':
      return { status, claim, waiting };
    case 'HELD':
    case 'CAPTURED':
    case 'REFUNDED':
      return { status, claim };
    case 'REFUSED':
      if (!refusal) throw new Error(`the refusal of the card of order ${row.order_id} has no reason`);
      return { status, claim, refusal };
  }
}
