import type { Server, ServerResponse } from 'node:http';
import { Server as TcpServer } from 'node:net';

export interface DrainOptions {
  /** How long an idle connection is still served, in milliseconds: a client may be sending on it at this very moment. */
  readonly idleFor?: number;
  /** After how long whatever is still open is broken off, in milliseconds: streams never end by themselves. */
  readonly atMost?: number;
}

const draining = Symbol('draining');
/** Responses that know of the stop; a request that comes during it knows from the beginning. */
const told = new WeakSet<ServerResponse>();

/**
 * Calls back when the server begins to stop while this response is under way: who holds it open on purpose (a stream,
 * `Prefer: wait`) then answers with what there is, instead of being cut.
 */
export function whenDraining(response: ServerResponse, end: () => void): void {
  if (told.has(response)) setImmediate(end);
  else response.once(draining, end);
}

/** Knows the requests under way, so that a stop loses none of them. */
export class Draining {
  readonly #open = new Set<ServerResponse>();
  #closing = false;

  /** To be told of every request, before it is handled. */
  enter(response: ServerResponse): void {
    this.#open.add(response);
    response.once('close', () => this.#open.delete(response));
    if (this.#closing) this.#tell(response);
  }

  /**
   * Takes no new connection, answers what is under way and tells each client that its connection ends with it.
   * `server.close()` alone would cut idle keep-alive connections at once, also those on which a request is just
   * arriving: under load some requests would fail at every restart.
   */
  async drain(server: Server, { idleFor = 300, atMost = 5000 }: DrainOptions = {}): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const until = performance.now() + atMost;
    for (const response of this.#open) this.#tell(response);
    await acceptWaiting(server, atMost / 2);
    const closed = new Promise<void>((resolve) => {
      TcpServer.prototype.close.call(server, () => resolve());
    });
    // Again and again: a connection that was answered before it could be told becomes idle later.
    const idle = setInterval(() => server.closeIdleConnections(), idleFor);
    const all = setTimeout(() => server.closeAllConnections(), until - performance.now());
    await closed;
    clearInterval(idle);
    clearTimeout(all);
  }

  #tell(response: ServerResponse): void {
    if (!response.headersSent) response.setHeader('connection', 'close');
    told.add(response);
    response.emit(draining);
  }
}

/**
 * Accepts what stands in the system's queue, for closing would reset it. A turn of the event loop accepts one connection
 * (libuv 1.46) and works on the others, so a busy process needs its time for a queue: one second was not enough for 35 of
 * them. Three turns without one end it; under load there is always another, and time does.
 */
async function acceptWaiting(server: Server, atMost: number): Promise<void> {
  let idleTurns = 0;
  const accepted = (): void => void (idleTurns = 0);
  const until = performance.now() + atMost;
  server.on('connection', accepted);
  while (idleTurns < 3 && performance.now() < until) {
    idleTurns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.off('connection', accepted);
}
