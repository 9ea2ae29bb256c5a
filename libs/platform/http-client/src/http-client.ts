import { currentTraceparent, SpanKind, withSpan } from '@faultline/telemetry';
import type { z } from 'zod';

export interface HttpClientOptions {
  readonly baseUrl: string;
  /** The dependency, as spans and errors name it. */
  readonly name: string;
  /** Milliseconds for the whole exchange; then the socket is closed. */
  readonly timeoutMs: number;
  readonly serviceToken?: string | undefined;
}

export interface HttpClient {
  /** Throws DependencyUnavailable or DependencyRefused; also when the answer is not what the schema says. */
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
}

/** No answer, no answer in time, or a 5xx: nothing is known of the other side. */
export class DependencyUnavailable extends Error {
  override readonly name = 'DependencyUnavailable';
  readonly retriable = true;
  constructor(
    readonly dependency: string,
    why: string,
    cause?: unknown,
  ) {
    super(`${dependency} is not available: ${why}`, { cause });
  }
}

/** A definite answer, and it is no. */
export class DependencyRefused extends Error {
  override readonly name = 'DependencyRefused';
  readonly retriable = false;
  constructor(
    readonly dependency: string,
    readonly status: number,
  ) {
    super(`${dependency} answered ${status}`);
  }
}

/** Calls another service: with the trace, the time that remains and the token in headers, and an end to its patience. */
export function httpClient(options: HttpClientOptions): HttpClient {
  return {
    get: (path, schema) => {
      const url = new URL(path, options.baseUrl);
      // A name that has ids in it would be another one for every call.
      const template = url.pathname.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '{id}');
      return withSpan(
        `GET ${template}`,
        {
          kind: SpanKind.CLIENT,
          attributes: {
            'http.request.method': 'GET',
            'url.full': url.href,
            'url.template': template,
            'server.address': url.hostname,
            ...(url.port === '' ? {} : { 'server.port': Number(url.port) }),
            'service.peer.name': options.name,
          },
        },
        async (span) => {
          const response = await exchange(options, url);
          span.setAttribute('http.response.status_code', response.status);
          if (response.status >= 500)
            throw new DependencyUnavailable(options.name, `it answered ${response.status}`);
          if (response.status >= 400) throw new DependencyRefused(options.name, response.status);
          const parsed = schema.safeParse(response.body);
          if (!parsed.success)
            throw new DependencyUnavailable(
              options.name,
              'its answer is not what its contract says',
              parsed.error,
            );
          return parsed.data;
        },
      );
    },
  };
}

async function exchange(options: HttpClientOptions, url: URL): Promise<{ status: number; body: unknown }> {
  const traceparent = currentTraceparent();
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(options.timeoutMs),
      headers: {
        accept: 'application/json',
        'x-remaining-ms': String(options.timeoutMs),
        ...(traceparent === null ? {} : { traceparent }),
        ...(options.serviceToken === undefined ? {} : { authorization: `Bearer ${options.serviceToken}` }),
      },
    });
    const text = await response.text();
    return { status: response.status, body: response.ok ? (JSON.parse(text) as unknown) : text };
  } catch (error) {
    throw new DependencyUnavailable(
      options.name,
      error instanceof Error ? error.message : String(error),
      error,
    );
  }
}
