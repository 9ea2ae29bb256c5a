import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { invalidInput } from './problem.js';

/** The request's Idempotency-Key; 400 when it is missing or is not 1 to 255 printable ASCII characters. */
export const IdempotencyKey: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): string => {
    const key = context.switchToHttp().getRequest<Request>().header('idempotency-key');
    if (key === undefined || key === '')
      throw invalidInput([{ path: 'Idempotency-Key', message: 'the header is missing' }]);
    if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
      throw invalidInput([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
    }
    return key;
  },
);
