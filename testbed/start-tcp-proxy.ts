import { createServer, connect, type Socket } from 'node:net';
import { freePort } from './free-port.ts';

/** A stretch of network that a test can break. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:port`; connect here instead of the target. */
  readonly address: string;
  /** Connections open now. */
  readonly connections: number;
  /** Resets every connection and refuses new ones. */
  cut(): void;
  /** Connections stay open, new ones are taken, and nothing gets through in either way. */
  stall(): void;
  /** The connections of now stay open and nothing gets through in either way, ever; new ones work. */
  strand(): void;
  /** Everything works again; bytes held back by a stall are delivered. */
  resume(): void;
  close(): Promise<void>;
}

/**
 * Passes connections of a port of 127.0.0.1 on to `target` (`host:port`). The servers of the testbed name themselves
 * in their answers, so a client needs `directConnection=true` (MongoDB) or an advertised listener (Kafka) to stay on
 * the proxy.
 */
export async function startTcpProxy(target: string, port?: number): Promise<TcpProxy> {
  const [host, targetPort] = splitAddress(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  const stranded = new Set<readonly [Socket, Socket]>();
  let state: 'open' | 'cut' | 'stalled' = 'open';

  const flow = ([client, upstream]: readonly [Socket, Socket]): void => {
    client.pipe(upstream);
    upstream.pipe(client);
  };
  const server = createServer((client) => {
    if (state === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(targetPort, host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
    if (state === 'open') flow(pair);
  });
  const listening = port ?? (await freePort());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listening, '127.0.0.1', resolve);
  });

  const cut = (): void => {
    state = 'cut';
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  };
  const hold = ([client, upstream]: readonly [Socket, Socket]): void => {
    client.unpipe(upstream).pause();
    upstream.unpipe(client).pause();
  };
  const close = (): Promise<void> => {
    cut();
    for (const sockets of stranded) for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return {
    port: listening,
    address: `127.0.0.1:${listening}`,
    get connections() {
      return pairs.size;
    },
    cut,
    stall() {
      state = 'stalled';
      for (const pair of pairs) hold(pair);
    },
    strand() {
      for (const pair of pairs) {
        hold(pair);
        pairs.delete(pair);
        stranded.add(pair);
      }
    },
    resume() {
      const wasStalled = state === 'stalled';
      state = 'open';
      if (wasStalled) for (const pair of pairs) flow(pair);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function splitAddress(address: string): [string, number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
