import { describe, expect, it } from '@jest/globals';
import type { CardAuthorization, OrderView } from '@faultline/contracts';
import { agreement, perOrder } from './agreement.js';
import { answers } from './answers.js';
import { cardByCard, cards } from './cards.js';
import type { Books } from './books.js';
import { ledger, money } from './money.js';
import { reservations, stock } from './stock.js';
import type { Tables } from './tables.js';
import type { Told } from './told.js';
import type { Check } from './verdict.js';

/** A world in which one customer has bought one mug, and nothing is wrong. */
const order = {
  orderId: 'o',
  customerId: 'customer-1',
  status: 'APPROVED',
  settlement: 'SETTLED',
  payment: { method: 'wallet' },
  total: 990,
  lines: [{ sku: 'mug', quantity: 1, unitPrice: 990 }],
} as OrderView;
const wallet = {
  customerId: 'customer-1',
  balance: 999_010,
  held: 0,
  available: 999_010,
  deposited: 1_000_000,
  captured: 990,
  refunded: 0,
  currency: 'EUR',
} as const;
const shelf = {
  sku: 'mug',
  name: 'Mug',
  unitPrice: 990,
  onHand: 9999,
  reserved: 0,
  available: 9999,
  sold: 1,
  delivered: 10_000,
};
const books: Books = {
  orders: {
    orders: [{ status: 'APPROVED', settlement: 'SETTLED', protocol: 'saga', count: 1 }],
    netAmount: { wallet: 990, card: 0 },
    netQuantities: { mug: 1 },
    suspended: [],
    skipped: [],
  },
  stock: { skus: [shelf] },
  money: { wallets: [wallet], ledgerSum: 0, cards: { held: 0, captured: 0, refunded: 0 } },
  gateway: { sums: { authorizations: 0, held: 0, captured: 0, refunded: 0 }, entries: [] },
  listed: [order],
};
const placement = {
  key: 'k',
  body: { customerId: 'customer-1', lines: [] },
  answers: ['202'],
  outcome: { accepted: 'o' },
  order,
};
const told: Told = {
  placements: new Map([['k', placement]]),
  accepted: [placement],
  deposited: new Map(),
  delivered: new Map(),
  contradictions: [],
};
const entry = (
  postingId: string,
  account: string,
  kind: string,
  amount: number,
  orderId: string | null = null,
) => ({
  postingId,
  account,
  kind,
  amount,
  orderId,
});
const tables: Pick<Tables, 'reservations' | 'authorizations' | 'cards' | 'ledger'> = {
  cards: [],
  reservations: [{ orderId: 'o', status: 'CONFIRMED', lines: [{ sku: 'mug', quantity: 1 }] }],
  authorizations: [{ orderId: 'o', status: 'CAPTURED', customerId: 'customer-1', amount: 990 }],
  ledger: [
    entry('p', 'bank', 'DEPOSIT', -1_000_000),
    entry('p', 'wallet:customer-1', 'DEPOSIT', 1_000_000),
    entry('q', 'wallet:customer-1', 'CAPTURE', -990, 'o'),
    entry('q', 'sales', 'CAPTURE', 990, 'o'),
  ],
};
const wallets = (change: Partial<Record<keyof typeof wallet, number>>): Books['money'] => ({
  ...books.money,
  wallets: [{ ...wallet, ...change } as Books['money']['wallets'][number]],
});
const byCard = (change: object): Books['money'] => ({
  ...books.money,
  cards: { held: 0, captured: 0, refunded: 0, ...change },
});
const shelves = (change: Partial<typeof shelf>): Books['stock'] => ({ skus: [{ ...shelf, ...change }] });

const isBroken = (check: Check): boolean => check.rows.length > 0;

it('all of them hold when nothing is wrong', () => {
  const checks = [
    money(books.money, told),
    cards(books),
    cardByCard(books, tables.cards),
    ledger(books.money, tables.ledger, tables.authorizations),
    stock(books.stock, told),
    reservations(books.stock, tables.reservations),
    agreement(books, told),
    perOrder(books, tables),
    answers(books, told),
  ];
  expect(checks.flatMap(({ rows }) => rows)).toEqual([]);
});

describe('M is broken by', () => {
  it.each([
    ['a wallet that does not add up', wallets({ balance: 999_011, available: 999_011 })],
    ['a negative balance', wallets({ held: 1_000_000, available: -990 })],
    ['an available that is not balance less held', wallets({ available: 1 })],
    ['a deposit that nobody made', wallets({ deposited: 1_000_001, balance: 999_011, available: 999_011 })],
    ['a ledger that sums to something', { ...books.money, ledgerSum: 1 }],
  ])('%s', (_, audit) => expect(isBroken(money(audit, told))).toBe(true));

  it('a deposit that vanished', () => {
    const richer = { ...told, deposited: new Map([['customer-1', 500]]) };
    expect(isBroken(money(books.money, richer))).toBe(true);
    const stranger = { ...told, deposited: new Map([['nobody', 500]]) };
    expect(isBroken(money(books.money, stranger))).toBe(true);
  });

  it.each([
    ['a posting with one side', tables.ledger.slice(0, 3), tables.authorizations],
    ['an entry that the wallet does not show', tables.ledger.slice(0, 2), tables.authorizations],
    [
      'a hold that the wallet does not show',
      tables.ledger,
      [{ ...tables.authorizations[0], orderId: 'p', status: 'HELD', customerId: 'customer-1', amount: 5 }],
    ],
  ])('%s', (_, entries, authorizations) =>
    expect(isBroken(ledger(books.money, entries, authorizations))).toBe(true),
  );
});

describe('M, of cards,', () => {
  const entry = (status: CardAuthorization['status'], reference = 'o', amount = 990): CardAuthorization => ({
    reference,
    status,
    amount,
    currency: 'EUR',
    declineReason: null,
    createdAt: '2030-01-01T00:00:00.000Z',
  });
  const ours = (status: string) => [{ orderId: 'o', status, customerId: 'customer-1', amount: 990 }];
  const gateway = (...entries: CardAuthorization[]): Books => ({
    ...books,
    gateway: { ...books.gateway, entries },
  });

  it.each(['held', 'captured', 'refunded'] as const)(
    'is broken by a sum of %s that is not the gateway’s',
    (sum) => {
      expect(isBroken(cards({ ...books, money: byCard({ [sum]: 990 }) }))).toBe(true);
      const theirs = { ...books.gateway, sums: { ...books.gateway.sums, [sum]: 990 } };
      expect(isBroken(cards({ ...books, gateway: theirs }))).toBe(true);
      expect(isBroken(cards({ ...books, money: byCard({ [sum]: 990 }), gateway: theirs }))).toBe(false);
    },
  );

  it.each([
    ['CAPTURED', 'AUTHORIZED'],
    ['CAPTURED', 'REFUNDED'],
    ['VOIDED', 'AUTHORIZED'],
    ['REFUSED', 'CAPTURED'],
    ['REFUNDED', 'CAPTURED'],
    ['REQUESTED', 'AUTHORIZED'],
  ] as const)('is broken by a card that is %s with us and %s there', (status, there) => {
    expect(isBroken(cardByCard(gateway(entry(there)), ours(status)))).toBe(true);
  });

  it.each([
    ['CAPTURED', 'CAPTURED'],
    ['VOIDED', 'VOIDED'],
    ['REFUSED', 'DECLINED'],
    ['REFUNDED', 'REFUNDED'],
  ] as const)('holds of a card that is %s with us and %s there', (status, there) => {
    expect(cardByCard(gateway(entry(there)), ours(status)).rows).toEqual([]);
  });

  it('has looked at nothing only where nobody pays by card', () => {
    const byCard = { ...order, payment: { method: 'card' as const, cardToken: 'card-ok' } };
    expect(cards(books).looked).toEqual({});
    expect(cards({ ...books, listed: [byCard] }).looked).toEqual({ 'card authorizations': 0 });
    expect(cardByCard({ ...books, listed: [byCard] }, []).looked).toEqual({ cards: 0 });
  });

  it('is broken by another amount, by what the gateway does not know, and by what only it knows', () => {
    expect(isBroken(cardByCard(gateway(entry('CAPTURED', 'o', 991)), ours('CAPTURED')))).toBe(true);
    expect(isBroken(cardByCard(gateway(), ours('CAPTURED')))).toBe(true);
    expect(isBroken(cardByCard(gateway(), ours('VOIDED')))).toBe(false);
    expect(isBroken(cardByCard(gateway(entry('VOIDED', 'x')), []))).toBe(true);
  });
});

describe('S is broken by', () => {
  it.each([
    ['a shelf that does not add up', shelves({ sold: 2 })],
    ['an on hand that is not available and reserved', shelves({ onHand: 1 })],
    ['a negative count', shelves({ sold: -1, available: 10_001, onHand: 10_001 })],
    ['a delivery that nobody made', shelves({ delivered: 10_001, available: 10_000, onHand: 10_000 })],
  ])('%s', (_, audit) => expect(isBroken(stock(audit, told))).toBe(true));

  it('a reservation that the shelf does not show', () => {
    const more = (status: string) => [
      ...tables.reservations,
      { orderId: 'p', status, lines: [{ sku: 'mug', quantity: 1 }] },
    ];
    expect(isBroken(reservations(books.stock, more('RESERVED')))).toBe(true);
    expect(isBroken(reservations(books.stock, more('CONFIRMED')))).toBe(true);
    expect(isBroken(reservations(books.stock, more('RELEASED')))).toBe(false);
  });
});

describe('P is broken by', () => {
  const orders = (change: Partial<Books['orders']>): Books => ({
    ...books,
    orders: { ...books.orders, ...change },
  });
  it.each([
    [
      'a rejected order that was settled',
      orders({ orders: [{ status: 'REJECTED', settlement: 'SETTLED', protocol: 'saga', count: 1 }] }),
    ],
    [
      'an approved order that was undone',
      orders({ orders: [{ status: 'APPROVED', settlement: 'UNDONE', protocol: 'saga', count: 1 }] }),
    ],
    ['money that stays held', { ...books, money: wallets({ held: 5 }) }],
    ['an order that was not paid', { ...books, money: wallets({ captured: 0 }) }],
    ['stock that stays reserved', { ...books, stock: shelves({ reserved: 1 }) }],
    ['stock that was not sold', { ...books, stock: shelves({ sold: 0 }) }],
    ['orders worth more than was paid', orders({ netAmount: { wallet: 991, card: 0 } })],
    ['orders that stand for more than was sold', orders({ netQuantities: { mug: 2 } })],
    ['an order by card that no card has paid', orders({ netAmount: { wallet: 990, card: 5 } })],
    ['a card that paid for no order', { ...books, money: byCard({ captured: 5 }) }],
    ['a card of which something stays held', { ...books, money: byCard({ held: 5 }) }],
    ['an approved order of somebody without a wallet', { ...books, money: { ...books.money, wallets: [] } }],
  ])('%s', (_, wrong) => expect(isBroken(agreement(wrong, told))).toBe(true));

  it('services that agree with each other and not with what the client saw approved', () => {
    const richer = { ...order, total: 1980, lines: [{ sku: 'mug', quantity: 2, unitPrice: 990 }] };
    const { rows } = agreement(books, { ...told, accepted: [{ ...placement, order: richer }] });
    expect(rows).toEqual([
      expect.stringMatching(/^the client's approved orders are worth 1980/),
      expect.stringMatching(/^the client's approved orders hold 2/),
    ]);
    const stranger = { ...order, customerId: 'stranger', total: 0, lines: [] };
    const { rows: unknown } = agreement(books, {
      ...told,
      accepted: [placement, { ...placement, order: stranger }],
    });
    expect(unknown).toEqual(['approved orders of stranger, who has no wallet']);
  });

  const reserved = (status: string) => ({
    ...tables,
    reservations: [{ ...tables.reservations[0], orderId: 'o', status, lines: [{ sku: 'mug', quantity: 1 }] }],
  });
  const authorized = (change: object) => ({
    ...tables,
    authorizations: [{ orderId: 'o', status: 'CAPTURED', customerId: 'customer-1', amount: 990, ...change }],
  });
  it.each([
    ['an approved order whose stock was released', reserved('RELEASED')],
    ['an approved order whose money is only held', authorized({ status: 'HELD' })],
    ['an approved order that nobody was asked to pay', { ...tables, authorizations: [] }],
    ['another amount than the order is worth', authorized({ amount: 1 })],
    [
      'other pieces than were ordered',
      {
        ...tables,
        reservations: [{ orderId: 'o', status: 'CONFIRMED', lines: [{ sku: 'mug', quantity: 2 }] }],
      },
    ],
    [
      'stock of an order that does not exist',
      { ...tables, reservations: [...tables.reservations, { orderId: 'x', status: 'CONFIRMED', lines: [] }] },
    ],
    [
      'money of an order that does not exist',
      {
        ...tables,
        authorizations: [
          ...tables.authorizations,
          { orderId: 'x', status: 'CAPTURED', customerId: 'customer-1', amount: 1 },
        ],
      },
    ],
  ])('%s', (_, wrong) => expect(isBroken(perOrder(books, wrong))).toBe(true));

  it('an approved order by card whose card was not charged', () => {
    const byCardAlone = (status: string) => ({
      ...tables,
      authorizations: [],
      cards: [{ orderId: 'o', status, customerId: 'customer-1', amount: 990 }],
    });
    expect(isBroken(perOrder(books, byCardAlone('CAPTURED')))).toBe(false);
    expect(isBroken(perOrder(books, byCardAlone('HELD')))).toBe(true);
  });

  it('a rejected order that was paid or sold, and not by one that was undone', () => {
    const rejected = { ...books, listed: [{ ...order, status: 'REJECTED' as const }] };
    const undone = {
      ...reserved('RELEASED'),
      authorizations: authorized({ status: 'VOIDED' }).authorizations,
    };
    expect(isBroken(perOrder(rejected, undone))).toBe(false);
    expect(isBroken(perOrder(rejected, reserved('RELEASED')))).toBe(true);
    expect(isBroken(perOrder(rejected, authorized({ status: 'VOIDED' })))).toBe(true);
  });
});

describe('A is broken by', () => {
  it.each([
    ['an order that was promised and is not there', { ...books, listed: [] }, told],
    ['an order that nobody was told of', { ...books, listed: [order, { ...order, orderId: 'x' }] }, told],
    ['an order that the audit does not count', { ...books, orders: { ...books.orders, orders: [] } }, told],
    ['two keys for one order', books, { ...told, accepted: [placement, placement] }],
    ['an answer that contradicts another', books, { ...told, contradictions: ['REJECTED after APPROVED'] }],
    [
      'a key without a definite answer',
      books,
      { ...told, placements: new Map([['k', { key: 'k', body: placement.body, answers: ['500'] }]]) },
    ],
  ])('%s', (_, wrong, client) => expect(isBroken(answers(wrong, client))).toBe(true));
});
