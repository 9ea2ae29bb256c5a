import { timingSafeEqual } from 'node:crypto';
import { applyDecorators, type CanActivate, type ExecutionContext, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse } from '@nestjs/swagger';
import type { Request } from 'express';
import { Problem } from './problem.js';

/** What the guards know of the app they guard. */
export interface TokenSettings {
  readonly serviceToken: string | undefined;
  readonly loopback: boolean;
}

export const tokenSettings = 'faultline.token';

function admit(request: Request): true {
  const { serviceToken } = request.app.get(tokenSettings) as TokenSettings;
  const given = /^Bearer (.+)$/i.exec(request.header('authorization') ?? '')?.[1];
  if (serviceToken !== undefined && given !== undefined && sameText(given, serviceToken)) return true;
  throw new Problem({
    status: 401,
    detail:
      'This needs the service token: authorization: Bearer … (locally it is in .faultline/service-token).',
    headers: { 'www-authenticate': 'Bearer' },
  });
}

class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return admit(context.switchToHttp().getRequest<Request>());
  }
}

class TokenOffLoopbackGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    return (request.app.get(tokenSettings) as TokenSettings).loopback || admit(request);
  }
}

/** 401 without the service token. */
export function TokenRequired(): MethodDecorator & ClassDecorator {
  return applyDecorators(
    UseGuards(new TokenGuard()),
    ApiBearerAuth(),
    ApiResponse({ status: 401, description: 'The service token is missing or wrong' }),
  );
}

/** Open while the service listens on loopback only; elsewhere 401 without the service token. */
export function TokenOffLoopback(): MethodDecorator & ClassDecorator {
  return applyDecorators(UseGuards(new TokenOffLoopbackGuard()), ApiBearerAuth());
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
