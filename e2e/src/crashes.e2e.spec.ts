import { setMaxListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Answer,
  audit,
  Client,
  endLoads,
  forAWhile,
  type OrderBody,
  send,
  type ServiceName,
  startLoad,
  startSystem,
  type System,
} from '@faultline/harness';
import { eventually } from '@faultline/testing';

setMaxListeners(50);
afterEach(endLoads);
const services: readonly ServiceName[] = ['order', 'inventory', 'payment'];
const aMug: OrderBody = { customerId: 'customer-1', lines: [{ sku: 'mug', quantity: 1 }] };

/** Orders that were answered 2xx and ended otherwise than those of a customer with money should. */
const unexpected = (client: Client): string[] =>
  client.accepted
    .filter(({ body, order }) => (body.customerId === 'customer-poor') === (order.status === 'APPROVED'))
    .map(({ order }) => `${order.orderId} ${order.status} ${order.rejection?.reason ?? ''}`);

describe('under load', () => {
  let system: System;
  let client: Client;

  beforeAll(async () => {
    system = await startSystem('crashes');
    client = new Client(system.urls);
  });
  afterAll(() => system?.stop());

  it.each(services)('%s is killed with -9, and every order ends right', async (service) => {
    const load = startLoad(client, { rate: 20, seed: services.indexOf(service) + 1 });
    await forAWhile(2000);
    expect(system.process(service).kill('SIGKILL')).toBe(true);
    await forAWhile(3000);
    const placed = await load.stop();
    expect(placed.length).toBeGreaterThanOrEqual(90);
    expect(await audit(system, client)).toEqual([]);
    expect(unexpected(client)).toEqual([]);
  });

  it.each(services)(
    '%s is asked to stop by SIGTERM, and no request that it received fails',
    async (service) => {
      await system.whenReady();
      const process = system.process(service);
      const requests: { at: number; answer?: Answer; error?: string }[] = [];
      const under = new Set<Promise<void>>();
      const ask = (): void => {
        const request: (typeof requests)[number] = { at: performance.now() };
        requests.push(request);
        const asked = askOf(service)
          .then((answer) => void (request.answer = answer))
          .catch((error: unknown) => void (request.error = String(error)))
          .finally(() => under.delete(asked));
        under.add(asked);
      };
      const timer = setInterval(ask, 10);
      await forAWhile(1000);
      const exited = process.exited;
      const at = performance.now();
      expect(process.kill('SIGTERM')).toBe(true);
      const { code } = await exited;
      expect(code).toBe(0);
      expect(performance.now() - at).toBeLessThan(8000);
      clearInterval(timer);
      await Promise.all(under);
      // Whoever came after the door was closed was not received. A connection that stood in the queue of the closing door
      // is not told apart from one that was taken: those of its last moment are left out.
      const received = requests.filter((request) => request.at < at - 50 || request.answer);
      const failed = received.filter(
        ({ answer }) =>
          !answer || (answer.status >= 300 && !(answer.status === 503 && answer.headers['retry-after'])),
      );
      expect(failed.map(({ answer, error }) => error ?? `${answer?.status} ${answer?.text}`)).toEqual([]);
      expect(received.length).toBeGreaterThan(50);
      await system.whenReady();
      await client.resolve();
      expect(await audit(system, client)).toEqual([]);
    },
  );

  /** A request that changes something, on a connection of its own. */
  async function askOf(service: ServiceName): Promise<Answer> {
    if (service === 'order') return client.ask(aMug, { keepAlive: false, prefer: 'wait=5' });
    if (service === 'inventory') return send(`${system.urls.inventory}/stock`, { keepAlive: false });
    return send(`${system.urls.payment}/wallets/customer-1`, { keepAlive: false });
  }

  it('order is asked to stop while a request waits for a decision: it is answered 202', async () => {
    await system.process('payment').stop();
    try {
      const waiting = client.ask(aMug, { prefer: 'wait=30', keepAlive: false });
      await eventually(() => send(`${system.urls.order}/health/live`));
      await forAWhile(500);
      const { exited } = system.process('order');
      system.process('order').kill('SIGTERM');
      expect((await waiting).status).toBe(202);
      expect((await exited).code).toBe(0);
    } finally {
      await system.process('payment').start();
      await system.whenReady();
    }
    expect(await audit(system, client)).toEqual([]);
  });

  it('Postgres is restarted, and every order ends right', async () => {
    const load = startLoad(client, { rate: 20, seed: 11 });
    await forAWhile(1500);
    await system.stopPostgres();
    await forAWhile(4000);
    await system.startPostgres();
    await forAWhile(1500);
    await load.stop();
    await system.whenReady();
    expect(await audit(system, client)).toEqual([]);
    expect(unexpected(client)).toEqual([]);
  });

  it('Postgres is killed with -9, and every order ends right', async () => {
    const load = startLoad(client, { rate: 20, seed: 12 });
    await forAWhile(1500);
    system.process('postgres').kill('SIGKILL');
    await forAWhile(2500);
    await load.stop();
    await system.whenReady();
    expect(await audit(system, client)).toEqual([]);
    expect(unexpected(client)).toEqual([]);
  });

  it('Postgres is frozen: readers are told so, the process lives, and every order ends right', async () => {
    const load = startLoad(client, { rate: 10, seed: 14 });
    await forAWhile(1000);
    const known = await client.place(aMug);
    const read = (): Promise<Answer>[] =>
      Array.from({ length: 8 }, () =>
        send(`${system.urls.order}/orders/${known.order?.orderId}`, { within: 16_000 }),
      );
    // Some then ask on connections that are open, and some wait for one.
    await Promise.all(read());
    system.freeze('postgres');
    try {
      // It answers while the database is still frozen: nobody waits for ever.
      const reads = read();
      await forAWhile(1000);
      expect((await send(`${system.urls.order}/health/live`)).status).toBe(200);
      expect((await send(`${system.urls.order}/health/ready`)).status).toBe(503);
      const answers = await Promise.all(reads);
      expect(answers.map(({ status, headers }) => [status, headers['retry-after']])).toEqual(
        answers.map(() => [503, '1']),
      );
    } finally {
      system.thaw('postgres');
    }
    await load.stop();
    await system.whenReady();
    expect(await audit(system, client)).toEqual([]);
    expect(unexpected(client)).toEqual([]);
  });

  it('the broker is stopped for 20 s: orders are taken all the while, and decided after it', async () => {
    const load = startLoad(client, { rate: 10, seed: 13 });
    await forAWhile(1000);
    await system.stopKafka();
    const during = await client.place(aMug);
    expect(during.answers).toEqual(['202']);
    await forAWhile(20_000);
    const ready = await send(`${system.urls.order}/health/ready`);
    expect(ready.status).toBe(200);
    expect((await client.get(during.order?.orderId ?? '')).status).toBe('PENDING');
    await system.startKafka();
    const placed = await load.stop();
    const hindered = placed.filter(({ answers }) => answers.some((answer) => answer !== '202'));
    expect(hindered.map(({ answers }) => answers.join())).toEqual([]);
    await system.whenReady();
    expect(await audit(system, client)).toEqual([]);
    expect(unexpected(client)).toEqual([]);
  });
});

describe('when the broker is absent at the start', () => {
  let system: System;
  let client: Client;

  beforeAll(async () => {
    system = await startSystem('without-broker', { startKafka: false, waitForBroker: false });
    client = new Client(system.urls);
  });
  afterAll(() => system?.stop());

  it('an order is accepted, and decided once there is one', async () => {
    const { order, answers } = await client.place(aMug);
    expect(answers).toEqual(['202']);
    expect(order?.status).toBe('PENDING');
    await system.startKafka();
    await eventually(async () => expect((await client.get(order?.orderId ?? '')).status).toBe('APPROVED'), {
      within: 20_000,
    });
    await system.whenReady();
    expect(await audit(system, client)).toEqual([]);
  });
});
