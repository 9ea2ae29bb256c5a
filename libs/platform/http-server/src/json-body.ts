import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { Problem } from './problem.js';

/** JSON bodies up to 64 KiB. A body of another kind is refused and not ignored. */
export const jsonBody: readonly RequestHandler[] = [
  (request: Request, _: Response, next: NextFunction): void => {
    const hasBody =
      request.headers['transfer-encoding'] !== undefined ||
      Number(request.headers['content-length'] ?? 0) > 0;
    if (hasBody && !request.is(['application/json', 'application/*+json'])) {
      next(new Problem({ status: 415, detail: 'The body must be application/json.' }));
      return;
    }
    next();
  },
  express.json({ limit: 64 * 1024, type: ['application/json', 'application/*+json'], strict: false }),
];
