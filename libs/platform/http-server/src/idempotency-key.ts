import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { invalidInput } from './problem.js';

const key = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const key = context.switchToHttp().getRequest<Request>().header('idempotency-key');
  if (key === undefined || key === '')
    throw invalidInput([{ path: 'Idempotency-Key', message: 'the header is missing' }]);
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw invalidInput([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
  }
  return key;
});

/** The request's Idempotency-Key; 400 when it is missing or is not 1 to 255 printable ASCII characters. */
export function IdempotencyKey(): ParameterDecorator {
  return (target, method, index) => {
    key()(target, method, index);
    const descriptor = method === undefined ? undefined : Object.getOwnPropertyDescriptor(target, method);
    if (method === undefined || !descriptor) return;
    ApiHeader({
      name: 'Idempotency-Key',
      required: true,
      description: 'Whatever has no definite answer is repeated with the same key: it takes effect once',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    })(target, method, descriptor);
  };
}
