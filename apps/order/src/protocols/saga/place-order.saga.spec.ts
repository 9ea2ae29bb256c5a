import { describe, expect, it } from '@jest/globals';
import { deadLettered, done, givenSaga, refused } from '@faultline/saga';
import { anOrder } from '../../orders/an-order.spec-data.js';
import { placeOrderSaga } from './place-order.saga.js';
import { rejectionOf } from './saga-messages.js';

const placed = () => givenSaga(placeOrderSaga, anOrder());

describe('the saga of an order', () => {
  it('asks for stock and money side by side, with what the order says', () => {
    expect(placed().last.commands.map((command) => command.body)).toEqual([
      { lines: [{ sku: 'tea-green', quantity: 2 }] },
      { customerId: 'customer-1', amount: 900, currency: 'EUR', payment: { method: 'wallet' } },
    ]);
  });

  it('approves, then confirms and captures', () => {
    const approved = placed().when(done('authorize-payment'), done('reserve-stock'));
    expect(approved).toMatchObject({ said: ['approved'], sent: ['confirm-stock', 'capture-payment'] });
    expect(approved.when(done('confirm-stock'), done('capture-payment')).said).toEqual(['completed']);
  });

  it('releases the stock when payment refuses after it was reserved', () => {
    const rejected = placed().when(done('reserve-stock'), refused('authorize-payment', 'INSUFFICIENT_FUNDS'));
    expect(rejected).toMatchObject({ said: ['rejected'], sent: ['release-stock'] });
    expect(rejected.when(done('release-stock')).said).toEqual(['compensated']);
  });

  it('voids a payment that has not answered when there is no stock', () => {
    expect(placed().when(refused('reserve-stock', 'OUT_OF_STOCK')).sent).toEqual(['void-payment']);
  });

  it('times out after 120 s of silence, and undoes both', () => {
    const late = placed().after(120_000).when({ type: 'tick' });
    expect(late).toMatchObject({ said: ['rejected'], sent: ['release-stock', 'void-payment'] });
  });

  it.each(['OUT_OF_STOCK', 'EXPIRED'])('takes %s of inventory for an answer', (reason) => {
    expect(placed().when(refused('reserve-stock', reason)).said).toEqual(['rejected']);
  });

  it.each(['INSUFFICIENT_FUNDS', 'UNKNOWN_CUSTOMER', 'CARD_DECLINED', 'EXPIRED'])(
    'takes %s of payment for an answer',
    (reason) => {
      expect(placed().when(refused('authorize-payment', reason)).said).toEqual(['rejected']);
    },
  );

  it('is suspended by any other refusal, and by a dead letter', () => {
    expect(placed().when(refused('reserve-stock', 'RELEASED')).said).toEqual(['suspended']);
    expect(placed().when(deadLettered('authorize-payment')).said).toEqual(['suspended']);
  });

  it('tells the customer TIMED_OUT when a command came too late', () => {
    expect(rejectionOf({ reason: 'EXPIRED', detail: 'too late' })).toEqual({
      reason: 'TIMED_OUT',
      detail: 'too late',
    });
    expect(rejectionOf({ reason: 'OUT_OF_STOCK', detail: '' }).reason).toBe('OUT_OF_STOCK');
  });
});
