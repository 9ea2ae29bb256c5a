import { type Database, DatabaseUnavailable, OutcomeUnknown, type Transaction } from '@faultline/database';
import type { OutgoingRecord, Producer, ReceivedRecord } from '@faultline/messaging';
import { describe, expect, it, jest } from '@jest/globals';
import { aFault, faultsForTests } from './a-fault.spec-data.js';
import { databaseThrough } from './database.js';
import type { Faults } from './faults.js';
import { fetchThrough } from './http-out.js';
import { handleThrough, producerThrough } from './messages.js';
import { factsOfExchange, InjectedFault } from './strike.js';

const orderId = '01990000-0000-7000-8000-000000000001';
/** Long enough that a test which really waits for it fails. */
const long = 60_000;

describe('a call to a dependency', () => {
  const at = 'http-out:payment-gateway';
  const answer = new Response('{}');
  const call = (faults: Faults, init?: RequestInit) => {
    const carried = jest.fn<typeof fetch>(async () => answer);
    const address = `http://gateway/authorizations/${orderId.toUpperCase()}/capture`;
    return { carried, answered: fetchThrough(faults, 'payment-gateway', carried)(address, init) };
  };

  it('goes out as it is while no fault strikes', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at: 'http-out:inventory', kind: 'error' }));
    const init = { method: 'POST' };
    const { carried, answered } = call(faults, init);
    expect(await answered).toBe(answer);
    expect(carried.mock.calls).toEqual([[expect.stringContaining('capture'), init]]);
  });

  it('is answered with an error and does not go out', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'error', status: 429 }));
    const { carried, answered } = call(faults);
    expect((await answered).status).toBe(429);
    expect(carried).not.toHaveBeenCalled();
  });

  it('finds its connection broken, as fetch says it', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'reset' }));
    await expect(call(faults).answered).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNRESET' },
    });
  });

  it('hangs until its caller loses patience', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'hang' }));
    const patience = new AbortController();
    const { carried, answered } = call(faults, { signal: patience.signal });
    await new Promise((resolve) => setImmediate(resolve));
    patience.abort(new Error('no patience left'));
    await expect(answered).rejects.toThrow('no patience left');
    expect(carried).not.toHaveBeenCalled();
  });

  it('that hangs is broken off when the fault ends', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'hang' }));
    const { answered } = call(faults, { signal: new AbortController().signal });
    faults.endAll();
    await expect(answered).rejects.toThrow('fetch failed');
  });

  it('goes out after its latency, or when the fault ends', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'latency', milliseconds: long }));
    const { carried, answered } = call(faults);
    expect(carried).not.toHaveBeenCalled();
    faults.end('a-fault');
    expect(await answered).toBe(answer);
  });

  it('that was given up while it waited does not go out any more', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'latency', milliseconds: long }));
    const patience = new AbortController();
    const { carried, answered } = call(faults, { signal: patience.signal });
    patience.abort(new Error('no patience left'));
    await expect(answered).rejects.toThrow('no patience left');
    expect(carried).not.toHaveBeenCalled();
  });

  it('is known by the order that its address or its body names', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'error', match: { orderId } }));
    expect((await call(faults).answered).status).toBe(503);
    const carried = async () => answer;
    const ask = fetchThrough(faults, 'payment-gateway', carried);
    const asked = (reference: string) =>
      ask('http://gateway/authorizations', { body: JSON.stringify({ reference }) });
    expect((await asked(orderId)).status).toBe(503);
    expect((await asked('01990000-0000-7000-8000-000000000002')).status).toBe(200);
  });
});

describe('a database', () => {
  const at = 'database';
  const through = (faults: Faults) => {
    const begun = jest.fn();
    const tx = {} as Transaction;
    const bare: Database = {
      pool: {} as Database['pool'],
      async transaction(work) {
        begun();
        return work(tx);
      },
      write: async () => ({ rows: 1 }),
      query: async () => [],
      close: async () => undefined,
    };
    return { begun, database: databaseThrough(faults, bare) };
  };
  const statement = { name: 'one', text: 'SELECT 1', values: [] };

  it('is not available: nothing begins', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'error' }));
    const { begun, database } = through(faults);
    await expect(database.transaction(async () => 1)).rejects.toThrow(DatabaseUnavailable);
    await expect(database.write([])).rejects.toThrow(DatabaseUnavailable);
    await expect(database.query(statement)).rejects.toThrow(DatabaseUnavailable);
    expect(begun).not.toHaveBeenCalled();
    expect(faults.list()).toMatchObject([{ struck: 3 }]);
  });

  it('commits and loses the answer; a read and what was rolled back have none to lose', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'commit-unknown' }));
    const { database } = through(faults);
    const work = jest.fn(async () => 'done');
    await expect(database.transaction(work)).rejects.toThrow(OutcomeUnknown);
    expect(work).toHaveBeenCalledTimes(1);
    await expect(database.write([])).rejects.toMatchObject({ cause: expect.any(InjectedFault) });
    expect(await database.query(statement)).toEqual([]);
    await expect(database.transaction(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(faults.list()).toMatchObject([{ struck: 2 }]);
  });

  it('is slow with the transaction open: it keeps its connection', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'latency', milliseconds: long }));
    const { begun, database } = through(faults);
    const work = jest.fn(async () => 'done');
    const done = database.transaction(work);
    expect(begun).toHaveBeenCalledTimes(1);
    expect(work).not.toHaveBeenCalled();
    faults.endAll();
    expect(await done).toBe('done');
  });
});

const record = (n: number, headers: Record<string, string> = {}): OutgoingRecord => ({
  topic: 'payment.commands',
  partition: 0,
  key: orderId,
  value: Buffer.from(JSON.stringify({ n, customerId: `customer-${n}` })),
  headers: { ce_subject: orderId, ...headers },
});

describe('a producer', () => {
  const at = 'produce';
  const through = (faults: Faults) => {
    const sent: (readonly OutgoingRecord[])[] = [];
    const bare: Producer = {
      connect: async () => undefined,
      send: async (records) => void sent.push(records),
      close: async () => undefined,
    };
    return { sent, producer: producerThrough(faults, bare) };
  };

  it('fails and has sent nothing', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'error' }));
    const { sent, producer } = through(faults);
    await expect(producer.send([record(1), record(2)])).rejects.toThrow('a-fault (produce error) struck');
    expect(sent).toEqual([]);
    expect(faults.list()).toMatchObject([{ struck: 1 }]);
  });

  it('sends the copy of a message right behind it: first deliveries keep their order', async () => {
    const { faults, told } = faultsForTests(0, 0.5, 0.49);
    faults.put(aFault({ at, kind: 'duplicate', rate: 0.5 }));
    const { sent, producer } = through(faults);
    const [a, b, c] = [record(1), record(2), record(3)];
    await producer.send([a, b, c]);
    expect(sent).toEqual([[a, a, b, c, c]]);
    expect(faults.list()).toMatchObject([{ struck: 2 }]);
    expect(told).toMatchObject([{ concerned: [{ orderId }] }, { concerned: [{ orderId }] }]);
  });

  it('doubles only what the filter asks for, by topic, order or the customer in the body', async () => {
    const { faults } = faultsForTests();
    faults.put(
      aFault({ at, kind: 'duplicate', match: { topic: 'payment.commands', customerId: 'customer-2' } }),
    );
    const { sent, producer } = through(faults);
    const [a, b, no] = [record(1), record(2), { ...record(2), value: Buffer.from('no JSON') }];
    await producer.send([a, b, no]);
    expect(sent).toEqual([[a, b, b, no]]);
  });
});

describe('a consumer', () => {
  const at = 'consume';
  const control = { heartbeat: async () => undefined, isCurrent: () => true };
  const received = (n: number): ReceivedRecord => ({
    ...record(n),
    offset: String(n),
    key: Buffer.from(orderId),
    value: Buffer.from('{}'),
    headers: { ce_subject: Buffer.from(orderId) },
  });
  const through = (faults: Faults) => {
    const handled: (readonly ReceivedRecord[])[] = [];
    return { handled, handle: handleThrough(faults, async (records) => void handled.push(records)) };
  };

  it('fails before anything was handled, so that the batch comes again', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'error' }));
    const { handled, handle } = through(faults);
    await expect(handle([received(1)], control)).rejects.toThrow(InjectedFault);
    expect(handled).toEqual([]);
  });

  it('gets once more what it has handled', async () => {
    const { faults } = faultsForTests(0, 0.5);
    faults.put(aFault({ at, kind: 'duplicate', rate: 0.5 }));
    const { handled, handle } = through(faults);
    const [a, b] = [received(1), received(2)];
    await handle([a, b], control);
    expect(handled).toEqual([[a, b], [a]]);
  });

  it('waits, and goes on when the fault ends', async () => {
    const { faults } = faultsForTests();
    faults.put(aFault({ at, kind: 'latency', milliseconds: long }));
    const { handled, handle } = through(faults);
    const done = handle([received(1)], control);
    expect(handled).toEqual([]);
    faults.endAll();
    await done;
    expect(handled).toHaveLength(1);
  });
});

describe('what is known of an exchange', () => {
  it.each([
    [`/orders/${orderId}/timeline`, undefined, { orderId }],
    ['/orders', { customerId: 'customer-1' }, { customerId: 'customer-1', protocol: 'saga' }],
    ['/orders', { customerId: 'customer-1', protocol: 'tcc' }, { customerId: 'customer-1', protocol: 'tcc' }],
    ['/orders?customerId=customer-1&protocol=2pc', undefined, { customerId: 'customer-1', protocol: '2pc' }],
    ['/wallets/customer-7/deposits', { amount: 1 }, { customerId: 'customer-7' }],
    ['/authorizations', { reference: orderId }, { orderId }],
    ['/stock', undefined, {}],
  ])('%s', (address, body, facts) => {
    expect(factsOfExchange(address, body)).toEqual(facts);
  });
});
