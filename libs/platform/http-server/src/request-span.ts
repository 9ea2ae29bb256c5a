import { SpanKind, startSpan } from '@faultline/telemetry';
import type { NextFunction, Request, Response } from 'express';

const quiet = /^\/(health|metrics|docs|openapi\.json)/;

/**
 * One SERVER span per request, which continues the caller's trace and names its own in `x-trace-id`, also when the
 * answer is an error. Probes and scrapes are not recorded.
 */
export function requestSpan(request: Request, response: Response, next: NextFunction): void {
  const { span, within } = startSpan(request.method, {
    kind: SpanKind.SERVER,
    parent: request.header('traceparent') ?? null,
    attributes: { 'http.request.method': request.method, 'url.path': request.path },
    unsampled: quiet.test(request.path),
  });
  response.setHeader('x-trace-id', span.spanContext().traceId);
  response.on('close', () => {
    const route = routeOf(request);
    if (route !== null) {
      span.updateName(`${request.method} ${route}`);
      span.setAttribute('http.route', route);
    }
    span.setAttribute('http.response.status_code', response.statusCode);
    if (response.statusCode >= 500) span.setStatus({ code: 2 });
    span.end();
  });
  within(next);
}

function routeOf(request: Request): string | null {
  const route: unknown = request.route;
  if (typeof route !== 'object' || route === null || !('path' in route) || typeof route.path !== 'string')
    return null;
  return route.path.replaceAll(/:(\w+)/g, '{$1}');
}
