export { type DoorSettings, onlyWaits, requestDeadline } from './door.js';
export { whenDraining } from './draining.js';
export type { NextFunction, Request, RequestHandler, Response } from 'express';
export { createHttpApp, type HttpApp, type HttpAppOptions } from './http-app.js';
export { IdempotencyKey } from './idempotency-key.js';
export { AcceptsJson, Answers } from './open-api.js';
export { invalidInput, Problem, type FieldError, type ProblemDetails } from './problem.js';
export { TokenOffLoopback, TokenRequired } from './token.guard.js';
export { Zod } from './zod.pipe.js';
