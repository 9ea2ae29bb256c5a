import { Agent, request, type IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  json(): unknown;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string goes as it is; everything else as JSON, with its content type. */
  readonly body?: unknown;
  /** Milliseconds until an answer that does not come is given up. */
  readonly within?: number;
  /** False takes a new connection. */
  readonly keepAlive?: boolean;
}

const kept = new Agent({ keepAlive: true, maxSockets: 256 });

/** One request, one attempt. Rejects when the connection breaks or no whole answer comes in time. */
export function send(
  url: string,
  { method = 'GET', headers = {}, body, within = 40_000, keepAlive = true }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const outgoing = request(
      url,
      {
        method,
        agent: keepAlive ? kept : false,
        headers: {
          ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
          ...(payload === undefined || typeof body === 'string'
            ? {}
            : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('aborted', () => reject(new Error('the answer broke off')));
        response.on('end', () => {
          clearTimeout(patience);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text) as unknown,
          });
        });
      },
    );
    const patience = setTimeout(
      () => outgoing.destroy(new Error(`${method} ${url}: no answer within ${within} ms`)),
      within,
    );
    outgoing.on('error', (error) => {
      clearTimeout(patience);
      reject(error);
    });
    outgoing.end(payload);
  });
}
