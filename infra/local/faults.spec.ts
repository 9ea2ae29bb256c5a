import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFault } from './fault-options.mjs';
import { access, heal, inject, listed, offered, processesOf } from './faults.mjs';
import { freePorts } from './ports.mjs';
import { recordOf, writePidFile } from './processes.mjs';

describe('what npm run fault is told', () => {
  it('is a fault as the services take it, and only what was said', () => {
    expect(readFault(['payment-gateway', 'http-in', 'error', '--rate', '1', '--for', '30s'])).toEqual({
      app: 'payment-gateway',
      name: 'http-in-error',
      body: { at: 'http-in', kind: 'error', rate: 1, ttlSeconds: 30 },
    });
    expect(readFault(['order', 'http-out:inventory', 'hang'])).toEqual({
      app: 'order',
      name: 'http-out-inventory-hang',
      body: { at: 'http-out:inventory', kind: 'hang' },
    });
    expect(
      readFault(
        ['payment', 'consume', 'latency', '--milliseconds', '200', '--name', 'slow', '--for', '2m'].concat([
          '--match',
          'orderId=1=2',
          '--match',
          'topic=payment.commands',
        ]),
      ),
    ).toEqual({
      app: 'payment',
      name: 'slow',
      body: {
        at: 'consume',
        kind: 'latency',
        milliseconds: 200,
        ttlSeconds: 120,
        match: { orderId: '1=2', topic: 'payment.commands' },
      },
    });
  });

  it('of a pause or a block is how long it lasts', () => {
    expect(readFault(['payment', 'process', 'pause', '--for', '1.5s'])).toMatchObject({
      body: { at: 'process', kind: 'pause', milliseconds: 1500 },
    });
    expect(readFault(['payment', 'process', 'pause', '--for', '9s', '--milliseconds', '7']).body).toEqual({
      at: 'process',
      kind: 'pause',
      milliseconds: 7,
    });
  });

  it('may be a wish for help, for a list, or for what there is', () => {
    expect(readFault(['--help'])).toEqual({ help: true });
    expect(readFault(['--list'])).toMatchObject({ list: true });
    expect(readFault(['order', '--list'])).toEqual({ list: true, app: 'order' });
    expect(readFault(['order'])).toEqual({ app: 'order' });
  });

  it.each([
    [[], /Name an app, a place and a kind/],
    [['order', 'http-in'], /Name an app, a place and a kind/],
    [['order', 'http-in', 'error', 'now'], /Name an app/],
    [['order', 'http-in', 'error', '--rate', 'x'], /--rate is x; it must be a number/],
    [['order', 'http-in', 'error', '--for', 'ever'], /--for is ever; it must be a time like 30s/],
    [['order', 'http-in', 'error', '--match', 'customer-1'], /--match is customer-1; it must be like/],
    [['order', 'http-in', 'error', '--often'], /Unknown option '--often'/],
  ])('cannot be %j', (args, message) => {
    expect(() => readFault(args)).toThrow(message);
  });
});

describe('the running services', () => {
  const token = 'a-token-for-these-tests';
  const asked: string[] = [];
  let folder: string;
  let how: { env: Record<string, string>; folder: string; token: string };
  let servers: Server[] = [];
  let answer: (url: string, body: string) => { status: number; body: unknown };
  const fault = {
    name: 'slow',
    at: 'http-in',
    kind: 'latency',
    rate: 0.5,
    milliseconds: 200,
    ttlSeconds: 60,
    match: { customerId: 'customer-1' },
    expiresAt: '2030-01-01T00:00:30.000Z',
    struck: 3,
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'faults-'));
    const [order, second, third, payment, inventory, gateway] = await freePorts(6);
    how = {
      env: {
        ORDER_PORT: String(order),
        ORDER_2_PORT: String(second),
        ORDER_3_PORT: String(third),
        PAYMENT_PORT: String(payment),
        INVENTORY_PORT: String(inventory),
        PAYMENT_GATEWAY_PORT: String(gateway),
      },
      folder,
      token,
    };
  });
  afterEach(() => {
    asked.length = 0;
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    rmSync(join(folder, 'run'), { recursive: true, force: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function listening(...settings: readonly string[]): Promise<void> {
    for (const setting of settings) {
      const server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk));
        request.on('end', () => {
          asked.push(`${setting} ${request.method} ${request.url} ${request.headers.authorization} ${body}`);
          const said = answer(request.url ?? '', body);
          response.writeHead(said.status).end(JSON.stringify(said.body));
        });
      }).listen(Number(how.env[setting]), '127.0.0.1');
      await once(server, 'listening');
      servers = [...servers, server];
      expect((server.address() as AddressInfo).port).toBe(Number(how.env[setting]));
    }
  }
  const runsAlso = (name: string): void =>
    writePidFile(join(folder, 'run', `${name}.pid`), recordOf(name, process.pid));

  it('are told of a fault in every replica that runs', async () => {
    await listening('ORDER_PORT', 'ORDER_2_PORT', 'ORDER_3_PORT');
    runsAlso('order-2');
    answer = () => ({ status: 200, body: fault });
    const { lines, complete } = await inject('order', 'slow', { at: 'http-in', kind: 'latency' }, how);
    expect(asked.sort()).toEqual(
      ['ORDER_2_PORT', 'ORDER_PORT'].map(
        (port) => `${port} PUT /chaos/faults/slow Bearer ${token} {"at":"http-in","kind":"latency"}`,
      ),
    );
    expect(complete).toBe(true);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      /^order-2: http-in latency 200 ms at rate 0.5 where customerId=customer-1, for [\d.]+ s, named slow$/,
    );
  });

  it('are one replica by its own name; the first answers to order-1, too', () => {
    const names = (app: string) => processesOf(app, how).map(({ name }: { name: string }) => name);
    expect([names('order-2'), names('order-1'), names('payment-gateway')]).toEqual([
      ['order-2'],
      ['order'],
      ['payment-gateway'],
    ]);
  });

  it.each(['postgres', 'order-4', 'order-0', 'order-01', 'gateway', ''])('are not %j', (app) => {
    expect(() => processesOf(app, how)).toThrow(
      /There is no .*\. There is: order, payment, inventory, payment-gateway/,
    );
  });

  it('say which replica could not be told', async () => {
    await listening('ORDER_PORT');
    runsAlso('order-2');
    answer = () => ({ status: 200, body: fault });
    const { lines, complete } = await inject('order', 'slow', {}, how);
    expect(complete).toBe(false);
    expect(lines[1]).toMatch(/^order-2 does not run at .*: not struck$/);
  });

  it('complain about what does not exist, in the words of the command', async () => {
    await listening('PAYMENT_PORT');
    const errors = [
      { path: 'at', message: 'there is no moon here; there is http-in (latency)' },
      { path: 'ttlSeconds', message: 'Too big' },
      { path: 'match.topic', message: 'at http-in there is only orderId' },
      { path: 'milliseconds', message: 'http-in latency needs it' },
    ];
    answer = () => ({ status: 400, body: { errors } });
    await expect(inject('payment', 'x', {}, how)).rejects.toThrow(
      [
        'payment has no such fault:',
        '  <at>: there is no moon here; there is http-in (latency)',
        '  --for: Too big',
        '  --match topic: at http-in there is only orderId',
        '  --milliseconds: http-in latency needs it',
      ].join('\n'),
    );
  });

  it('are said to be absent, with what starts them', async () => {
    await expect(inject('payment-gateway', 'x', {}, how)).rejects.toThrow(
      /^payment-gateway does not run at http:.*\. npm start, in another terminal, .*PAYMENT_GATEWAY_PORT says where/,
    );
    await expect(listed(undefined, how)).rejects.toThrow(/^Nothing runs here: order at .*npm start/);
    await expect(heal(undefined, how)).rejects.toThrow(/^Nothing runs here/);
  });

  it.each([
    [401, /^payment does not know the token/],
    [404, /^payment runs without chaos: npm start enables it/],
    [500, /^payment answered 500/],
  ])('that answer %d are explained', async (status, message) => {
    await listening('PAYMENT_PORT');
    answer = () => ({ status, body: {} });
    await expect(listed('payment', how)).rejects.toThrow(message);
  });

  it('show what runs, and nothing of those that do not', async () => {
    await listening('PAYMENT_PORT', 'PAYMENT_GATEWAY_PORT');
    answer = () => ({ status: 200, body: { items: [fault] } });
    const { lines } = await listed(undefined, how, Date.parse(fault.expiresAt) - 29_500);
    expect(lines).toEqual([
      'payment          slow  http-in latency 200 ms at rate 0.5 where customerId=customer-1  30 s left  struck 3 times',
      'payment-gateway  slow  http-in latency 200 ms at rate 0.5 where customerId=customer-1  30 s left  struck 3 times',
    ]);
    answer = () => ({ status: 200, body: { items: [] } });
    expect((await listed(undefined, how)).lines).toEqual(['No fault runs.']);
  });

  it('are healed, and say what was', async () => {
    await listening('PAYMENT_PORT');
    answer = () => ({ status: 200, body: { items: [fault] } });
    expect(await heal(undefined, how)).toEqual({
      lines: ['Ended:', 'payment  slow  http-in latency  struck 3 times'],
      complete: true,
    });
    expect(asked).toEqual([`PAYMENT_PORT DELETE /chaos/faults Bearer ${token} `]);
  });

  it('say what can be injected, in words', async () => {
    await listening('PAYMENT_PORT');
    const kinds = [
      { kind: 'latency', what: 'it waits', needs: 'milliseconds' },
      { kind: 'error', what: 'it fails', takes: 'status' },
    ];
    answer = () => ({
      status: 200,
      body: { places: [{ at: 'http-in', what: 'a request', kinds, match: ['orderId', 'protocol'] }] },
    });
    expect(await offered('payment', how)).toEqual([
      'http-in: a request',
      '  latency  --milliseconds  it waits',
      '  error    [--status]      it fails',
      '  --match orderId=… or protocol=…',
      '',
    ]);
  });

  it('are opened by the token of the folder, or of the environment', () => {
    expect(() => access({ FAULTLINE_FOLDER: folder })).toThrow(/no service token in .*npm start/);
    writeFileSync(join(folder, 'service-token'), 'from-the-folder\n');
    expect(access({ FAULTLINE_FOLDER: folder }).token).toBe('from-the-folder');
    expect(access({ FAULTLINE_FOLDER: folder, FAULTLINE_SERVICE_TOKEN: 'given' }).token).toBe('given');
  });
});
