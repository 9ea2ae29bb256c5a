import { describe, expect, it } from '@jest/globals';
import { anOrder } from './an-order.spec-data.js';
import {
  approve,
  reject,
  resumeSettlement,
  settle,
  suspendSettlement,
  totalOf,
  undo,
  viewOf,
} from './order.js';
import { orderOf, type OrderRow } from './order.store.js';

const refusal = { reason: 'OUT_OF_STOCK', detail: 'none left' } as const;

describe('an order', () => {
  it('leaves PENDING exactly once', () => {
    const approved = approve(anOrder(), 5);
    const rejected = reject(anOrder(), refusal, 5);
    for (const decided of [approved, rejected]) {
      expect(() => approve(decided, 6)).toThrow(/cannot become APPROVED from/);
      expect(() => reject(decided, refusal, 6)).toThrow(/cannot become REJECTED from/);
    }
  });

  it('is settled after its approval and undone after its rejection, and not the other way round', () => {
    expect(settle(approve(anOrder(), 5), 7)).toMatchObject({ settlement: 'SETTLED', settledAt: 7 });
    expect(undo(reject(anOrder(), refusal, 5), 7)).toMatchObject({ settlement: 'UNDONE', settledAt: 7 });
    expect(() => undo(approve(anOrder(), 5), 7)).toThrow(/cannot become UNDONE/);
    expect(() => settle(reject(anOrder(), refusal, 5), 7)).toThrow(/cannot become SETTLED/);
    expect(() => settle(anOrder(), 7)).toThrow(/cannot become SETTLED from PENDING\/NONE/);
  });

  it('is settled once', () => {
    expect(() => settle(settle(approve(anOrder(), 5), 7), 8)).toThrow(/cannot become SETTLED/);
  });

  it('stays pending while its saga is suspended before the decision, and says SUSPENDED after it', () => {
    expect(suspendSettlement(anOrder())).toEqual(anOrder());
    const suspended = suspendSettlement(approve(anOrder(), 5));
    expect(suspended).toMatchObject({ status: 'APPROVED', settlement: 'SUSPENDED' });
    expect(resumeSettlement(suspended)).toMatchObject({ settlement: 'SETTLING' });
  });

  it('costs the sum of its lines and refuses a sum that cannot be counted exactly', () => {
    expect(
      totalOf([
        { sku: 'a', quantity: 3, unitPrice: 450 },
        { sku: 'b', quantity: 1, unitPrice: 1 },
      ]),
    ).toBe(1351);
    expect(() => totalOf([{ sku: 'a', quantity: 1000, unitPrice: Number.MAX_SAFE_INTEGER }])).toThrow(
      RangeError,
    );
  });

  it('shows its trace id and its instants to customers', () => {
    expect(viewOf(reject(anOrder(), refusal, 2_000))).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      rejection: refusal,
      createdAt: '1970-01-01T00:00:01.000Z',
      decidedAt: '1970-01-01T00:00:02.000Z',
      settledAt: null,
    });
  });
});

describe('a stored order', () => {
  const row: OrderRow = {
    ...anOrder(),
    id: anOrder().orderId,
    status: 'PENDING',
    settlement: 'NONE',
    rejectionReason: null,
    rejectionDetail: null,
    decidedAt: null,
    settledAt: null,
  };

  it('is what was saved', () => {
    expect(orderOf(row)).toEqual(anOrder());
    expect(
      orderOf({ ...row, status: 'APPROVED', settlement: 'SETTLED', decidedAt: 5, settledAt: 7 }),
    ).toEqual(settle(approve(anOrder(), 5), 7));
  });

  it('is refused when no order can be so', () => {
    expect(() => orderOf({ ...row, settlement: 'SETTLED' })).toThrow(
      /PENDING\/SETTLED, which no order can be/,
    );
    expect(() =>
      orderOf({ ...row, status: 'REJECTED', settlement: 'UNDONE', decidedAt: 5, settledAt: 6 }),
    ).toThrow();
    expect(() =>
      orderOf({ ...row, status: 'APPROVED', settlement: 'UNDONE', decidedAt: 5, settledAt: 6 }),
    ).toThrow();
  });
});
