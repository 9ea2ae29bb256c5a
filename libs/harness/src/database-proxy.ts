import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** ReadyForQuery outside a transaction: the statement before it has been committed. */
const committed = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

export interface DatabaseProxy {
  readonly port: number;
  /**
   * The next statement in which this text travels to the server breaks its connection: before it arrives, or when it has
   * been committed and the answer is on its way back.
   */
  breakAt(text: string, when: 'before it arrives' | 'after commit'): void;
  /** Whether that statement is still to come. */
  isArmed(): boolean;
  /** No connection, neither an old nor a new one. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Stands between a service and Postgres. */
export async function databaseProxy(target: number): Promise<DatabaseProxy> {
  const open = new Set<Socket>();
  let isCut = false;
  let trap: { readonly text: string; readonly when: 'before it arrives' | 'after commit' } | undefined;

  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    let swallowing = false;
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
    client.on('data', (chunk) => {
      if (trap && chunk.includes(trap.text)) {
        const { when } = trap;
        trap = undefined;
        if (when === 'before it arrives') {
          both();
          return;
        }
        swallowing = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!swallowing) client.write(chunk);
      else if (chunk.subarray(-committed.length).equals(committed)) both();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = (): void => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    breakAt(text, when) {
      trap = { text, when };
    },
    isArmed: () => trap !== undefined,
    cut,
    mend() {
      isCut = false;
    },
    close() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
