import { createServer, connect, type Socket } from 'node:net';
import { Transform } from 'node:stream';
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
  /**
   * Strands the next connection whose client sends something that `isIt`, before it gets through.
   * @returns once that has happened: a function that delivers what has been held back, however late, although the client may be gone
   */
  strandAt(isIt: (sent: Buffer) => boolean): Promise<() => void>;
  /** Everything works again; bytes held back by a stall are delivered. */
  resume(): void;
  close(): Promise<void>;
}

/** What is waited for, and whom to tell. */
interface Trap {
  readonly isIt: (sent: Buffer) => boolean;
  readonly caught: (deliver: () => void) => void;
}

/** One connection through the proxy. */
class Pair {
  readonly sockets: readonly [client: Socket, upstream: Socket];
  readonly #gate: Transform;
  /** What the client has sent since it was stranded. */
  #held: Buffer[] | undefined;

  constructor(
    client: Socket,
    upstream: Socket,
    trapOf: () => Trap | undefined,
    strand: (pair: Pair) => void,
  ) {
    this.sockets = [client, upstream];
    this.#gate = new Transform({
      transform: (chunk: Buffer, _, done) => {
        const trap = trapOf();
        if (this.#held === undefined && trap?.isIt(chunk) === true) {
          this.#held = [];
          strand(this);
          trap.caught(() => upstream.write(Buffer.concat(this.#held?.splice(0) ?? [])));
        }
        if (this.#held === undefined) done(null, chunk);
        else {
          this.#held.push(chunk);
          done();
        }
      },
    });
    // Once and for good: a second pipe to the same end would send everything twice.
    this.#gate.pipe(upstream);
  }

  flow(): void {
    const [client, upstream] = this.sockets;
    client.pipe(this.#gate);
    upstream.pipe(client);
  }

  /** Nothing gets through any more. */
  hold(): void {
    const [client, upstream] = this.sockets;
    if (this.#held === undefined) client.unpipe(this.#gate).pause();
    upstream.unpipe(client).pause();
  }
}

/**
 * Passes connections of a port of 127.0.0.1 on to `target` (`host:port`). The servers of the testbed name themselves
 * in their answers, so a client needs `directConnection=true` (MongoDB) or an advertised listener (Kafka) to stay on
 * the proxy.
 */
export async function startTcpProxy(target: string, port?: number): Promise<TcpProxy> {
  const [host, targetPort] = splitAddress(target);
  const pairs = new Set<Pair>();
  const stranded = new Set<Pair>();
  let state: 'open' | 'cut' | 'stalled' = 'open';
  let trap: Trap | undefined;

  const strandPair = (pair: Pair): void => {
    pair.hold();
    pairs.delete(pair);
    stranded.add(pair);
    trap = undefined;
  };
  const server = createServer((client) => {
    if (state === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(targetPort, host);
    const pair = new Pair(client, upstream, () => trap, strandPair);
    pairs.add(pair);
    for (const socket of pair.sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (stranded.has(pair)) return;
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
    if (state === 'open') pair.flow();
  });
  const listening = port ?? (await freePort());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listening, '127.0.0.1', resolve);
  });

  const cut = (): void => {
    state = 'cut';
    for (const { sockets } of pairs) for (const socket of sockets) socket.resetAndDestroy();
  };
  const close = (): Promise<void> => {
    cut();
    for (const { sockets } of stranded) for (const socket of sockets) socket.destroy();
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
      for (const pair of pairs) pair.hold();
    },
    strand() {
      for (const pair of pairs) strandPair(pair);
    },
    strandAt: (isIt) =>
      new Promise((caught) => {
        trap = { isIt, caught };
      }),
    resume() {
      const wasStalled = state === 'stalled';
      state = 'open';
      if (wasStalled) for (const pair of pairs) pair.flow();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function splitAddress(address: string): [string, number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
