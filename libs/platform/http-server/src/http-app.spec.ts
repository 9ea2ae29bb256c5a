import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { DatabaseUnavailable, OutcomeUnknown } from '@faultline/database';
import { logger, prometheusText, startTelemetry, type Telemetry } from '@faultline/telemetry';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Module,
  Param,
  Post,
  Query,
  Res,
  ServiceUnavailableException,
} from '@nestjs/common';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import type { Response } from 'express';
import request from 'supertest';
import { z } from 'zod';
import {
  AcceptsJson,
  Answers,
  createHttpApp,
  type HttpApp,
  IdempotencyKey,
  Problem,
  TokenOffLoopback,
  TokenRequired,
  whenDraining,
  Zod,
} from './index.js';

const Parcel = z.strictObject({
  name: z.string().min(2),
  weight: z.int().positive(),
  note: z.string().optional(),
});
const Paging = z.strictObject({ limit: z.coerce.number().int().max(5).default(3) });

const failures: Readonly<Record<string, () => Error>> = {
  unknown: () => new OutcomeUnknown(new Error('Connection terminated')),
  database: () => new DatabaseUnavailable(new Error('connect ECONNREFUSED')),
  prisma: () => Object.assign(new Error('x'), { name: 'PrismaClientKnownRequestError', code: 'P1001' }),
  neighbour: () =>
    Object.assign(new Error('inventory'), {
      name: 'DependencyUnavailable',
      cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    }),
  bug: () => new TypeError('the secret is 42', { cause: new Error('deeper') }),
  nest: () => new ServiceUnavailableException('inner text'),
  problem: () =>
    new Problem({ status: 409, title: 'Not now', detail: 'Later.', headers: { 'retry-after': '2' } }),
};

let letGo: () => void = () => undefined;

@Controller()
class Routes {
  @Get('things/:id')
  thing(
    @Param('id', new Zod(z.uuid())) id: string,
    @Query(new Zod(Paging)) query: z.infer<typeof Paging>,
  ): unknown {
    return { id, ...query };
  }

  @Post('parcels')
  @HttpCode(201)
  @AcceptsJson(Parcel)
  @Answers(201, Parcel, 'The parcel')
  parcel(@IdempotencyKey() key: string, @Body(new Zod(Parcel)) body: z.infer<typeof Parcel>): unknown {
    return { key, ...body };
  }

  @Get('fails/:how')
  fail(@Param('how') how: string): never {
    throw failures[how]?.() ?? new Error('no such failure');
  }

  @Get('slow')
  async slow(): Promise<{ slow: true }> {
    await new Promise<void>((resolve) => (letGo = resolve));
    return { slow: true };
  }

  @Get('busy')
  busy(): unknown {
    const until = performance.now() + 40;
    while (performance.now() < until);
    return { busy: true };
  }

  @Get('stream')
  stream(@Res() response: Response): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    whenDraining(response, () => response.end('data: last\n\n'));
  }

  @Post('operate')
  @TokenRequired()
  operate(): unknown {
    return { done: true };
  }

  @Get('figures')
  @TokenOffLoopback()
  figures(): unknown {
    return { figures: [] };
  }
}

@Module({ controllers: [Routes] })
class Tiny {}

const spans = new InMemorySpanExporter();
const lines: string[] = [];
const log = logger('tiny', 'tiny-1', { write: (line) => lines.push(line) });
let telemetry: Telemetry;
let tiny: HttpApp;

const start = (more: { host?: string; serviceToken?: string; port?: number } = {}): Promise<HttpApp> =>
  createHttpApp(Tiny, {
    service: 'tiny',
    instance: 'tiny-1',
    port: more.port ?? 0,
    host: more.host ?? '127.0.0.1',
    serviceToken: more.serviceToken,
    title: 'Tiny',
    description: 'A service of nothing',
    log,
  });

beforeAll(async () => {
  telemetry = startTelemetry({
    service: 'tiny',
    instance: 'tiny-1',
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
  });
  tiny = await start({ serviceToken: 'a-token-of-sixteen' });
});

afterAll(async () => {
  await tiny.close();
  await telemetry.shutdown();
});

const post = (body: string | object, type = 'application/json') =>
  request(tiny.url).post('/parcels').set('idempotency-key', 'k 1').set('content-type', type).send(body);

describe('every answer', () => {
  it.each([
    ['a result', () => request(tiny.url).get(`/things/${crypto.randomUUID()}`), 200],
    ['invalid input', () => post({}), 400],
    ['no token', () => request(tiny.url).post('/operate'), 401],
    ['an unknown address', () => request(tiny.url).get('/nowhere'), 404],
    ['an address that is no UTF-8', () => request(tiny.url).get('/things/%FF'), 400],
    ['too much', () => post(JSON.stringify({ name: 'x'.repeat(64 * 1024) })), 413],
    ['not JSON by its type', () => post('name=x', 'application/x-www-form-urlencoded'), 415],
    ['not JSON by its text', () => post('{"name":'), 400],
    ['a bug', () => request(tiny.url).get('/fails/bug'), 500],
  ])('names its trace: %s', async (_, ask, status) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(answer.headers['x-trace-id']).toMatch(/^[0-9a-f]{32}$/);
    if (status >= 400) {
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(answer.body).toMatchObject({ status, type: expect.any(String), title: expect.any(String) });
    }
  });

  it('says that a body is not JSON as it says every other error of the input', async () => {
    const { body } = await post('{"name":');
    expect(body).toMatchObject({ title: 'Invalid input', errors: [{ path: '', message: 'not valid JSON' }] });
  });

  it('names its trace even when the request cannot be parsed', async () => {
    const socket = connect(Number(new URL(tiny.url).port), '127.0.0.1');
    socket.write('NONSENSE\r\n\r\n');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 400 .*\r\nx-trace-id: [0-9a-f]{32}\r\n/s);
    socket.destroy();
  });
});

describe('input', () => {
  it('is refused with all errors at once, unknown members among them', async () => {
    const { status, body } = await post({ name: 'x', weight: -1, colour: 'red', shape: 'round' });
    expect(status).toBe(400);
    expect(body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'colour',
      'name',
      'shape',
      'weight',
    ]);
  });

  it('is refused when a string or a name holds U+0000', async () => {
    expect((await post('{"name":"a\\u0000b","weight":1}')).body.errors).toEqual([
      { path: 'name', message: 'must not contain U+0000 or half a surrogate pair' },
    ]);
    const named = await post('{"name":"ab","weight":1,"a\\u0000":1}');
    expect(named.status).toBe(400);
    expect(named.body.errors).not.toContainEqual(
      expect.objectContaining({ path: expect.stringContaining('\u0000') }),
    );
    expect((await request(tiny.url).get('/things/a%00')).status).toBe(400);
    expect((await post('{"name":"a\\ud800b","weight":1}')).status).toBe(400);
  });

  it('may have 64 KiB and no more', async () => {
    const frame = JSON.stringify({ name: 'ab', weight: 1, note: '' }).length;
    expect(
      (await post(JSON.stringify({ name: 'ab', weight: 1, note: 'x'.repeat(65_536 - frame) }))).status,
    ).toBe(201);
    expect(
      (await post(JSON.stringify({ name: 'ab', weight: 1, note: 'x'.repeat(65_537 - frame) }))).status,
    ).toBe(413);
  });

  it.each(['[]', 'null', '"text"', '1'])('is refused when it is JSON of another kind: %s', async (text) => {
    expect((await post(text)).status).toBe(400);
  });

  it('is refused when there is none', async () => {
    const answer = await request(tiny.url).post('/parcels').set('idempotency-key', 'k');
    expect(answer.status).toBe(400);
  });

  it('names a parameter that is wrong', async () => {
    expect((await request(tiny.url).get('/things/7')).body.errors).toMatchObject([{ path: 'id' }]);
    const query = await request(tiny.url).get(`/things/${crypto.randomUUID()}?limit=9&colour=red`);
    expect(query.body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'colour',
      'limit',
    ]);
  });

  it('needs an idempotency key of 1 to 255 printable characters', async () => {
    const keyed = (key?: string) => {
      const asked = request(tiny.url).post('/parcels').send({ name: 'ab', weight: 1 });
      return key === undefined ? asked : asked.set('idempotency-key', key);
    };
    expect((await keyed()).body.errors).toMatchObject([{ path: 'Idempotency-Key' }]);
    expect((await keyed('')).status).toBe(400);
    expect((await keyed('é')).status).toBe(400);
    expect((await keyed('x'.repeat(256))).status).toBe(400);
    expect((await keyed('x'.repeat(255))).status).toBe(201);
  });
});

describe('a failure', () => {
  const fail = (how: string) => request(tiny.url).get(`/fails/${how}`);

  it('whose outcome is unknown says so', async () => {
    const { status, body } = await fail('unknown');
    expect(status).toBe(500);
    expect(body.type).toMatch(/outcome-unknown$/);
  });

  it.each(['database', 'prisma', 'neighbour'])('of what can come back asks to try again: %s', async (how) => {
    const { status, headers, body } = await fail(how);
    expect(status).toBe(503);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(/database/.test(body.detail)).toBe(how !== 'neighbour');
  });

  it('that nobody expected tells the client nothing, and the log everything', async () => {
    lines.length = 0;
    const { status, text, headers } = await fail('bug');
    expect(status).toBe(500);
    expect(text).not.toMatch(/secret|deeper|TypeError|\.ts|at /);
    const line = JSON.parse(lines.find((logged) => logged.includes('request failed')) ?? '{}');
    expect(line).toMatchObject({
      level: 'error',
      service: 'tiny',
      trace_id: headers['x-trace-id'],
      path: '/fails/bug',
    });
    expect(line.err.stack).toContain('the secret is 42');
    expect(line.err.stack).toContain('deeper');
  });

  it('that is part of the contract is answered with its headers, and not logged', async () => {
    lines.length = 0;
    const { status, headers, body } = await fail('problem');
    expect([status, headers['retry-after'], body.title]).toEqual([409, '2', 'Not now']);
    expect(lines).toEqual([]);
  });
});

describe('the service token', () => {
  it('opens what it guards, and nothing else does', async () => {
    const operate = (authorization: string) =>
      request(tiny.url).post('/operate').set('authorization', authorization);
    expect((await operate('Bearer a-token-of-sixteen')).status).toBe(201);
    expect((await operate('bearer a-token-of-sixteen')).status).toBe(201);
    for (const wrong of [
      'Bearer another-token-16',
      'Bearer a-token',
      'Basic a-token-of-sixteen',
      'Bearer ',
    ]) {
      const answer = await operate(wrong);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
  });

  it('is not asked for figures on loopback, and is beyond it', async () => {
    expect((await request(tiny.url).get('/figures')).status).toBe(200);
    const open = await start({ host: '0.0.0.0', serviceToken: 'a-token-of-sixteen' });
    const url = `http://127.0.0.1:${new URL(open.url).port}`;
    expect((await request(url).get('/figures')).status).toBe(401);
    expect(
      (await request(url).get('/figures').set('authorization', 'Bearer a-token-of-sixteen')).status,
    ).toBe(200);
    await open.close();
  });

  it('guards for ever where none is set', async () => {
    const without = await start();
    expect(
      (await request(without.url).post('/operate').set('authorization', 'Bearer undefined')).status,
    ).toBe(401);
    await without.close();
  });

  it('is a condition for listening beyond loopback', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toThrow('FAULTLINE_SERVICE_TOKEN');
  });
});

describe('a trace', () => {
  it('is the caller’s where there is one, and its span is named by the route', async () => {
    spans.reset();
    const traceId = 'a'.repeat(32);
    const answer = await request(tiny.url)
      .get(`/things/${crypto.randomUUID()}`)
      .set('traceparent', `00-${traceId}-${'b'.repeat(16)}-01`);
    expect(answer.headers['x-trace-id']).toBe(traceId);
    const [span] = spans.getFinishedSpans();
    expect(span?.name).toBe('GET /things/{id}');
    expect(span?.parentSpanContext?.spanId).toBe('b'.repeat(16));
    expect(span?.attributes['http.response.status_code']).toBe(200);
  });

  it.each(['nonsense', '00-zz', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`])(
    'begins here when the caller’s is not valid: %s',
    async (traceparent) => {
      const answer = await request(tiny.url).get('/nowhere').set('traceparent', traceparent);
      expect(answer.headers['x-trace-id']).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    },
  );

  it('of a bug holds the error', async () => {
    spans.reset();
    await request(tiny.url).get('/fails/bug');
    expect(spans.getFinishedSpans()[0]).toMatchObject({
      status: { code: 2 },
      events: [{ name: 'exception' }],
    });
  });

  it('has its duration among the metrics', async () => {
    await request(tiny.url).get(`/things/${crypto.randomUUID()}`);
    const counts = (await prometheusText()).split('\n').filter((line) => line.includes('duration_count'));
    expect(counts).toContainEqual(
      expect.stringMatching(
        /^http_server_request_duration_count\{.*"GET".*"200".*http_route="\/things\/\{id\}"\}/,
      ),
    );
  });
});

describe('the documentation', () => {
  it('is OpenAPI 3.1 with the schemas of bodies and answers', async () => {
    const { body } = await request(tiny.url).get('/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const { requestBody, responses, parameters } = body.paths['/parcels'].post;
    expect(requestBody.content['application/json'].schema).toMatchObject({
      type: 'object',
      required: ['name', 'weight'],
      additionalProperties: false,
    });
    expect(responses['201'].content['application/json'].schema.properties.weight.type).toBe('integer');
    expect(Object.keys(responses['400'].content)).toEqual(['application/problem+json']);
    expect(parameters).toContainEqual(
      expect.objectContaining({ in: 'header', name: 'Idempotency-Key', required: true }),
    );
    const query = body.paths['/things/{id}'].get.parameters;
    expect(query).toContainEqual(expect.objectContaining({ in: 'query', name: 'limit', required: false }));
    expect(JSON.stringify(body)).not.toContain('#/components/schemas/Object');
  });

  it('is a page that needs nothing from elsewhere', async () => {
    const page = await request(tiny.url).get('/docs');
    expect(page.headers['content-type']).toMatch(/^text\/html/);
    const sources = [...page.text.matchAll(/(?:src|href)=["']([^"']+)["']/g)].map(
      ([, source]) => source ?? '',
    );
    expect(sources.length).toBeGreaterThan(1);
    for (const source of sources) {
      expect(source).not.toMatch(/^(https?:)?\/\//);
      expect((await request(tiny.url).get(new URL(source, `${tiny.url}/`).pathname)).status).toBe(200);
    }
  });
});

/** Requests begun in this turn of the event loop have connected then, and the turn has not ended: none is accepted. */
async function connected(): Promise<void> {
  for (let ticks = 0; ticks < 10; ticks += 1) await new Promise<void>((resolve) => process.nextTick(resolve));
}

describe('a stop', () => {
  it('answers what is under way, also what arrives on open connections, and ends them', async () => {
    const app = await start();
    const agent = new Agent({ keepAlive: true });
    const get = (path: string): Promise<{ status?: number | undefined; connection?: string | undefined }> =>
      new Promise((resolve, reject) => {
        httpRequest(`${app.url}${path}`, { agent }, (response) => {
          response
            .resume()
            .on('end', () =>
              resolve({ status: response.statusCode, connection: response.headers.connection }),
            );
        })
          .on('error', reject)
          .end();
      });
    await get('/figures');
    const entered = new Promise<void>((resolve) => app.app.getHttpServer().once('request', () => resolve()));
    const slow = get('/slow');
    await entered;
    // A second connection, idle when the stop begins.
    const idle = await Promise.all([get('/figures'), get('/figures')]);
    expect(idle.map((answer) => answer.status)).toEqual([200, 200]);
    const closed = app.close();
    expect(await get('/figures')).toEqual({ status: 200, connection: 'close' });
    letGo();
    expect(await slow).toEqual({ status: 200, connection: 'close' });
    await closed;
    agent.destroy();
    await expect(request(app.url).get('/figures')).rejects.toThrow('ECONNREFUSED');
  });

  it('answers connections that wait to be accepted when it begins', async () => {
    const app = await start();
    // No turn of the event loop between the requests and the stop: none of them has been accepted.
    const answers = Array.from(
      { length: 30 },
      () =>
        new Promise<number | undefined>((resolve, reject) => {
          httpRequest(`${app.url}/figures`, { agent: false }, (response) => {
            response.resume().on('end', () => resolve(response.statusCode));
          })
            .on('error', reject)
            .end();
        }),
    );
    await connected();
    const closed = app.close();
    expect(await Promise.all(answers)).toEqual(answers.map(() => 200));
    await closed;
  });

  it('answers them also when there are more than it can answer in a second, and others keep coming', async () => {
    const app = await start();
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        httpRequest(`${app.url}/busy`, { agent: false }, (response) => {
          response.resume().on('end', () => resolve(String(response.statusCode)));
        })
          .on('error', (error) => resolve(error.message))
          .end();
      });
    const waiting = Array.from({ length: 40 }, ask);
    await connected();
    const closed = app.close();
    const late: Promise<string>[] = [];
    const coming = setInterval(() => late.push(ask()), 10);
    const answers = await Promise.all(waiting);
    await closed;
    clearInterval(coming);
    await Promise.all(late);
    expect(answers).toEqual(answers.map(() => '200'));
  });

  it('lets what is held open on purpose end by itself', async () => {
    const app = await start();
    const stream = await fetch(`${app.url}/stream`);
    const begun = Date.now();
    const closed = app.close();
    expect(await stream.text()).toBe('data: 1\n\ndata: last\n\n');
    await closed;
    expect(Date.now() - begun).toBeLessThan(2000);
  });

  it('ends also what would be held open and begins only during it', async () => {
    const app = await start();
    const begun = Date.now();
    const late = new Promise<string>((resolve, reject) => {
      httpRequest(`${app.url}/stream`, { agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    const closed = app.close();
    expect(await late).toBe('data: 1\n\ndata: last\n\n');
    await closed;
    expect(Date.now() - begun).toBeLessThan(2000);
  });

  it('follows a start that failed because the port was taken', async () => {
    await expect(start({ port: Number(new URL(tiny.url).port) })).rejects.toThrow('EADDRINUSE');
  });
});
