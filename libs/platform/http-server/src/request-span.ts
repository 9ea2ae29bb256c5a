import { meter, SpanKind, startSpan } from '@faultline/telemetry';
import type { NextFunction, Request, Response } from 'express';

const durations = meter('faultline.http').createHistogram('http.server.request.duration', {
  description: 'duration of requests by method, route and status',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
});

const quiet = /^\/(health|metrics|docs|openapi\.json)/;

/**
 * One SERVER span per request, which continues the caller's trace and names its own in `x-trace-id`, also when the
 * answer is an error. Probes and scrapes are not recorded.
 */
export function requestSpan(request: Request, response: Response, next: NextFunction): void {
  const started = performance.now();
  const { span, within } = startSpan(request.method, {
    kind: SpanKind.SERVER,
    parent: request.header('traceparent') ?? null,
    attributes: {
      'http.request.method': request.method,
      'url.path': request.path,
      'url.scheme': request.protocol,
    },
    unsampled: quiet.test(request.path),
  });
  response.setHeader('x-trace-id', span.spanContext().traceId);
  response.on('close', () => {
    const route = routeOf(request);
    if (route !== null) {
      span.updateName(`${request.method} ${route}`);
      span.setAttribute('http.route', route);
    }
    // 499: the client went away before the answer began, and saw no status.
    const status = response.headersSent ? response.statusCode : 499;
    span.setAttribute('http.response.status_code', status);
    if (status >= 500) {
      span.setStatus({ code: 2 });
      span.setAttribute('error.type', String(status));
    }
    span.end();
    durations.record((performance.now() - started) / 1000, {
      'http.request.method': request.method,
      'http.response.status_code': status,
      ...(route === null ? {} : { 'http.route': route }),
    });
  });
  within(next);
}

function routeOf(request: Request): string | null {
  const route: unknown = request.route;
  if (typeof route !== 'object' || route === null || !('path' in route) || typeof route.path !== 'string')
    return null;
  return route.path.replaceAll(/:(\w+)/g, '{$1}');
}
