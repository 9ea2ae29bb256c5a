import { connect, createServer, type Server, type Socket } from 'node:net';

export interface BrokerProxy {
  /** Give it to the services as their broker's port. */
  readonly port: number;
  /** Milliseconds that each answer of the broker is held back from now on. */
  delay(milliseconds: number): void;
  /** Refuses connections, as an absent broker does; `listen` takes them again. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Stands between the services and the broker. The broker tells its clients where it is, in its answers: there its port
 * is replaced by the proxy's, or they would go past it.
 */
export async function brokerProxy(target: number): Promise<BrokerProxy> {
  const open = new Set<Socket>();
  let delayed = 0;
  let server = createServer();

  const serve = (client: Socket): void => {
    const upstream = connect(target, '127.0.0.1');
    const both = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', both);
      socket.on('close', () => {
        open.delete(socket);
        both();
      });
    }
    client.on('data', (chunk) => upstream.write(chunk));
    const frames = new Frames();
    let before: Promise<void> = Promise.resolve();
    upstream.on('data', (chunk) => {
      const due = performance.now() + delayed;
      for (const frame of frames.add(chunk)) {
        // One after the other: an answer that is held back less must not overtake the one before it.
        before = before
          .then(() => until(due))
          .then(() => {
            if (client.writable) client.write(withPort(frame, target, port));
          });
      }
    });
  };
  const listen = async (at: number): Promise<Server> => {
    const listening = createServer(serve);
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject);
      listening.listen(at, '127.0.0.1', resolve);
    });
    return listening;
  };
  const refuse = (): Promise<void> => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => {
      server.close(() => resolve());
    });
  };

  server = await listen(0);
  const port = portOf(server);
  return {
    port,
    delay(milliseconds) {
      delayed = milliseconds;
    },
    refuse,
    async listen() {
      if (!server.listening) server = await listen(port);
    },
    close: refuse,
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port');
  return address.port;
}

function until(due: number): Promise<void> {
  const wait = due - performance.now();
  return wait <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, wait));
}

/** Kafka's answers, each whole with its length, however the network cut them. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const whole: Buffer[] = [];
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readInt32BE(0);
      if (this.#rest.length < end) break;
      whole.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
    return whole;
  }
}

/** The answer with the one address in place of the other: a host and its port, 32 bits, as every answer has them. */
export function withPort(frame: Buffer, from: number, to: number): Buffer {
  const address = (port: number): Buffer => {
    const bytes = Buffer.from('127.0.0.1\0\0\0\0', 'latin1');
    bytes.writeInt32BE(port, bytes.length - 4);
    return bytes;
  };
  const wanted = address(from);
  let at = frame.indexOf(wanted);
  if (at < 0) return frame;
  const changed = Buffer.from(frame);
  for (; at >= 0; at = frame.indexOf(wanted, at + wanted.length)) address(to).copy(changed, at);
  return changed;
}
