import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import type { Log } from '@faultline/telemetry';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { door, type DoorSettings } from './door.js';
import { Draining } from './draining.js';
import { eventLoopDelay } from './event-loop.js';
import { jsonBody } from './json-body.js';
import { nestLog } from './nest-log.js';
import { serveOpenApi } from './open-api.js';
import { ProblemFilter } from './problem.filter.js';
import { requestSpan } from './request-span.js';
import { tokenSettings, type TokenSettings } from './token.guard.js';
import { answerUnreadable } from './unreadable.js';

export interface HttpAppOptions {
  readonly service: string;
  readonly instance: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly host: string;
  readonly serviceToken: string | undefined;
  readonly title: string;
  readonly description: string;
  readonly log: Log;
  /** How much is let in at a time: see door.ts. */
  readonly door?: DoorSettings;
  /** What every request meets first, once it has its span. */
  readonly before?: readonly RequestHandler[];
}

export interface HttpApp {
  readonly app: NestExpressApplication;
  readonly url: string;
  /** Takes no new connection and answers what was received; after `atMost` ms (5000) cuts what is left. Then destroys the module. */
  close(atMost?: number): Promise<void>;
}

// Sixteen times what two cores work on at once; half a second late is late for everybody.
const usualDoor: DoorSettings = { limit: 300, longestDelay: 500 };

/**
 * Starts the HTTP side of a service: Nest on Express. Throws when the port is taken, and when it would listen beyond
 * loopback without a token.
 */
export async function createHttpApp(module: DynamicModule | Type, options: HttpAppOptions): Promise<HttpApp> {
  const loopback = ['127.0.0.1', '::1', 'localhost'].includes(options.host);
  if (!loopback && !options.serviceToken) {
    throw new Error(
      `${options.service} would listen on ${options.host} without a service token: set FAULTLINE_SERVICE_TOKEN`,
    );
  }
  const app = await NestFactory.create<NestExpressApplication>(module, {
    bodyParser: false,
    abortOnError: false,
    logger: nestLog(options.log),
  });
  const draining = new Draining();
  app.disable('x-powered-by');
  app.set(tokenSettings, { serviceToken: options.serviceToken, loopback } satisfies TokenSettings);
  app.use(requestSpan);
  app.use((_: Request, response: Response, next: NextFunction) => {
    draining.enter(response);
    next();
  });
  for (const handler of options.before ?? []) app.use(handler);
  const loop = eventLoopDelay();
  app.use(door(options.door ?? usualDoor, loop.delay));
  for (const handler of jsonBody) app.use(handler);
  app.useGlobalFilters(new ProblemFilter(options.log));
  serveOpenApi(app, options);

  const server = app.getHttpServer() as Server;
  // Longer than the idle time of usual clients and proxies: the client closes first, and no request meets a closed door.
  server.keepAliveTimeout = 65_000;
  // A body that trickles in holds a connection no longer than this.
  server.requestTimeout = 30_000;
  server.on('clientError', answerUnreadable);
  try {
    await app.listen(options.port, options.host);
  } catch (error) {
    loop.stop();
    await app.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;

  return {
    app,
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    async close(atMost) {
      await draining.drain(server, { ...(atMost !== undefined && { atMost }) });
      loop.stop();
      await app.close();
    },
  };
}
