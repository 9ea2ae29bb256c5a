import { currentTraceparent, SpanKind, withSpan } from '@faultline/telemetry';
import type { z } from 'zod';

export interface HttpClientOptions {
  readonly baseUrl: string;
  /** The dependency, as spans and errors name it. */
  readonly name: string;
  /** Milliseconds for the whole exchange; then the socket is closed. */
  readonly timeoutMs: number;
  readonly serviceToken?: string | undefined;
  /** What carries a request out and its answer back: the process's own `fetch` unless told. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Closes the socket when it is aborted; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Milliseconds that the other side is told it has; never more than the client's own timeout. */
  readonly remainingMs?: number;
}

export interface HttpClient {
  /** Throws DependencyUnavailable or DependencyRefused; also when the answer is not what the schema says. */
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  /** The same for any call. An aborted one throws its signal's reason. */
  send<Schema extends z.ZodType>(call: HttpCall, schema: Schema): Promise<z.output<Schema>>;
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
    /** What kind of problem it is in its own words (RFC 9457); null when it does not say. */
    readonly type: string | null = null,
  ) {
    super(`${dependency} answered ${status}${type === null ? '' : ` (${type})`}`);
  }
}

/** Calls another service: with the trace, the time that remains and the token in headers, and an end to its patience. */
export function httpClient(options: HttpClientOptions): HttpClient {
  const send: HttpClient['send'] = (call, schema) => {
    const { method } = call;
    const url = new URL(call.path, options.baseUrl);
    // A name that has ids in it would be another one for every call.
    const template = url.pathname.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '{id}');
    return withSpan(
      `${method} ${template}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          'http.request.method': method,
          'url.full': url.href,
          'url.template': template,
          'server.address': url.hostname,
          ...(url.port === '' ? {} : { 'server.port': Number(url.port) }),
          'service.peer.name': options.name,
        },
      },
      async (span) => {
        const response = await exchange(options, url, call);
        span.setAttribute('http.response.status_code', response.status);
        if (response.status >= 500)
          throw new DependencyUnavailable(options.name, `it answered ${response.status}`);
        if (response.status >= 400)
          throw new DependencyRefused(options.name, response.status, problemType(response.body));
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
  };
  return { send, get: (path, schema) => send({ method: 'GET', path }, schema) };
}

async function exchange(
  options: HttpClientOptions,
  url: URL,
  { method, headers, body, signal, remainingMs = Infinity }: HttpCall,
): Promise<{ status: number; body: unknown }> {
  const traceparent = currentTraceparent();
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: {
        accept: 'application/json',
        'x-remaining-ms': String(Math.floor(Math.min(options.timeoutMs, remainingMs))),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(traceparent === null ? {} : { traceparent }),
        ...(options.serviceToken === undefined ? {} : { authorization: `Bearer ${options.serviceToken}` }),
        ...headers,
      },
    });
    const text = await response.text();
    return { status: response.status, body: response.ok ? (JSON.parse(text) as unknown) : text };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new DependencyUnavailable(
      options.name,
      error instanceof Error ? error.message : String(error),
      error,
    );
  }
}

function problemType(text: unknown): string | null {
  try {
    const problem: unknown = JSON.parse(String(text));
    const isTyped = typeof problem === 'object' && problem !== null && 'type' in problem;
    return isTyped && typeof problem.type === 'string' ? problem.type : null;
  } catch {
    return null;
  }
}
