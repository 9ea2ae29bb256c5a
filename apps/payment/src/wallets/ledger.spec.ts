import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { authorize, type Authorization, capture, type Decision, refund, voidHold } from './authorization.js';
import {
  accountOf,
  balanced,
  captureOf,
  depositOf,
  type LedgerEntry,
  post,
  refundOf,
  sumOf,
} from './ledger.js';
import { available, deposit, emptyWallet, type Wallet } from './wallet.js';

describe('a posting', () => {
  it('takes from one account what it gives to the other', () => {
    expect(post(captureOf('ann', 250, 'o1'), 'p1')).toEqual([
      { postingId: 'p1', account: 'wallet:ann', kind: 'CAPTURE', amount: -250, orderId: 'o1' },
      { postingId: 'p1', account: 'sales', kind: 'CAPTURE', amount: 250, orderId: 'o1' },
    ]);
  });

  it('sums to zero, whatever moves', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 12 }), fc.string(), (amount, customer) => {
        for (const movement of [
          depositOf(customer, amount),
          captureOf(customer, amount, 'o'),
          refundOf(customer, amount, 'o'),
        ]) {
          expect(sumOf(post(movement, 'p'))).toBe(0);
        }
      }),
    );
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('of %d cents is no posting', (amount) => {
    expect(() => post(depositOf('ann', amount), 'p')).toThrow(/not a number of cents/);
  });

  it('is not saved when a side is missing', () => {
    const [left] = post(depositOf('ann', 5), 'p');
    expect(() => balanced([left])).toThrow(/sum to -5/);
  });
});

type Act = { readonly order: number; readonly customer: string } & (
  | {
      readonly act: 'authorize';
      readonly amount: number;
      readonly late: boolean;
    }
  | { readonly act: 'void' | 'capture' | 'refund' }
  | { readonly act: 'deposit'; readonly amount: number }
);

const act: fc.Arbitrary<Act> = fc
  .tuple(
    // An order belongs to one customer for ever.
    fc.nat({ max: 5 }).map((order) => ({ order, customer: ['ann', 'ben', 'nobody'][order % 3] ?? 'ann' })),
    fc.oneof(
      fc.record({
        act: fc.constant('authorize' as const),
        amount: fc.nat({ max: 120 }),
        late: fc.boolean(),
      }),
      fc.record({ act: fc.constantFrom('void' as const, 'capture' as const, 'refund' as const) }),
      fc.record({ act: fc.constant('deposit' as const), amount: fc.integer({ min: 1, max: 50 }) }),
    ),
  )
  .map(([whose, rest]) => ({ ...whose, ...rest }));

describe('any history of payment', () => {
  it('keeps wallets, authorizations and ledger in agreement, and the ledger at zero', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const wallets = new Map<string, Wallet>(['ann', 'ben'].map((name) => [name, emptyWallet(name)]));
        const authorizations = new Map<number, Authorization>();
        const ledger: LedgerEntry[] = [];
        for (const next of acts) {
          const wallet = wallets.get(next.customer);
          if (next.act === 'deposit') {
            if (!wallet) continue;
            const after = deposit(wallet, next.amount);
            if ('refused' in after) continue;
            wallets.set(next.customer, after);
            ledger.push(...post(depositOf(next.customer, next.amount), 'p'));
            continue;
          }
          const decision = run(next, wallet, authorizations.get(next.order));
          if (decision.authorization) authorizations.set(next.order, decision.authorization);
          if (decision.wallet) wallets.set(next.customer, decision.wallet);
          if (decision.movement) ledger.push(...post(decision.movement, 'p'));
        }
        expect(sumOf(ledger)).toBe(0);
        for (const wallet of wallets.values()) {
          const claims = (...statuses: Authorization['status'][]): number =>
            [...authorizations.values()]
              .filter((one) => statuses.includes(one.status) && one.claim?.customerId === wallet.customerId)
              .reduce((sum, one) => sum + (one.claim?.amount ?? 0), 0);
          expect(available(wallet)).toBeGreaterThanOrEqual(0);
          expect(wallet.deposited).toBe(wallet.balance + wallet.captured - wallet.refunded);
          expect(wallet.held).toBe(claims('HELD'));
          expect(wallet.captured).toBe(claims('CAPTURED', 'REFUNDED'));
          expect(wallet.refunded).toBe(claims('REFUNDED'));
          const account = ledger.filter((entry) => entry.account === accountOf(wallet.customerId));
          expect(sumOf(account)).toBe(wallet.balance);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('answers a repeated command as it answered the first, and changes nothing by it', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const wallets = new Map<string, Wallet>([
          ['ann', { ...emptyWallet('ann'), balance: 200, deposited: 200 }],
          ['ben', emptyWallet('ben')],
        ]);
        const authorizations = new Map<number, Authorization>();
        for (const next of acts) {
          if (next.act === 'deposit') continue;
          const first = run(next, wallets.get(next.customer), authorizations.get(next.order));
          if (first.authorization) authorizations.set(next.order, first.authorization);
          if (first.wallet) wallets.set(next.customer, first.wallet);
          const second = run(next, wallets.get(next.customer), authorizations.get(next.order));
          expect(answerOf(second)).toEqual(answerOf(first));
          expect([second.authorization, second.wallet, second.movement]).toEqual([
            undefined,
            undefined,
            undefined,
          ]);
        }
      }),
    );
  });
});

function run(
  next: Exclude<Act, { act: 'deposit' }>,
  wallet: Wallet | undefined,
  held: Authorization | undefined,
): Decision {
  switch (next.act) {
    case 'authorize': {
      const claim = { customerId: next.customer, amount: next.amount, method: 'wallet' as const };
      return authorize(wallet, held, { ...claim, deadline: next.late ? 10 : 30 }, 20);
    }
    case 'void':
      return voidHold(wallet, held);
    case 'capture':
      return capture(wallet, held, `order-${next.order}`);
    case 'refund':
      return refund(wallet, held, `order-${next.order}`);
  }
}

function answerOf(decision: Decision): unknown {
  return 'refused' in decision ? { refused: decision.refused, detail: decision.detail } : 'done';
}
