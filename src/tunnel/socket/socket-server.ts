import type { SocketTlsConfig } from '../../config/config.ts';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Logger } from '../../shared/logger.ts';
import { formatSocketAddress, type SocketAddress } from '../../config/socket-address.ts';
import { MessageWay } from '../message-way.ts';
import { SocketTunnelError } from './socket-tunnel-error.ts';
import { loadTlsOptions } from './tls-options.ts';

const KEEP_ALIVE_MS = 15_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** At most one line about refused connections in this time: anybody can cause them. */
const REFUSED_LOG_MS = 1000;

export interface SocketServerOptions {
  readonly address: SocketAddress;
  readonly tls: SocketTlsConfig | undefined;
  readonly connectionsMax: number;
  /** A connection that stays silent for so long, where a word is due, is closed. */
  readonly silenceMs: number;
  readonly logger: Logger;
  /** Serves one connection to its end; a rejection says why it is refused. */
  readonly serve: (connection: ServerConnection) => Promise<void>;
}

/** A connection that has come in. */
export interface ServerConnection {
  readonly socket: Socket;
  /** `address:port` of the other end. */
  readonly from: string;
  /** Says whether a word of the other end is due: at first it is. */
  readonly expectWord: (isDue: boolean) => void;
  /** Told by whoever serves it what comes in; ended when the socket is closed. */
  readonly way: MessageWay;
}

/** Listens on one port for the connections of collectors, within limits. */
export class SocketServer {
  readonly #o: SocketServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #serving = new Set<Promise<void>>();
  readonly #failed = new AbortController();
  #server: Server | undefined;
  #refused = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(options: SocketServerOptions) {
    this.#o = options;
  }

  /** Aborts when it can listen no more. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Connections that were turned away or closed for what they sent. */
  get refused(): number {
    return this.#refused;
  }

  /** @throws SocketTunnelError when the port cannot be had, or a TLS file not be read */
  async listen(): Promise<void> {
    const { address, tls } = this.#o;
    const server = tls === undefined ? createServer() : this.#createTlsServer(tls);
    this.#server = server;
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) =>
      this.#accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        reject(
          new SocketTunnelError({
            code: 'SOCKET_LISTEN',
            message: `Cannot listen on ${formatSocketAddress(address)}: ${cause.message}`,
            hint: 'check tunnel.address: a free port of this machine',
            cause,
          }),
        );
      });
      const { host, port } = address;
      server.listen(host === '' ? { port } : { host, port }, resolve);
    });
    server.on('error', (error) => this.#failed.abort(error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#serving);
    await closed;
  }

  #createTlsServer(tls: SocketTlsConfig): Server {
    const server = createTlsServer({ ...loadTlsOptions(tls), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
    // Sockets count from before the handshake on.
    server.on('connection', (socket: Socket) => this.#track(socket));
    server.on('tlsClientError', (error, socket) => {
      const why = socket.authorizationError ?? error.message;
      this.#refuse(
        nameOf(socket),
        `TLS failed: ${String(why)}; check tunnel.tls.enable and the certificate there`,
      );
      socket.destroy();
    });
    return server;
  }

  /** @returns false when there are too many already */
  #track(socket: Socket): boolean {
    socket.on('error', () => {});
    if (this.#sockets.size >= this.#o.connectionsMax) {
      this.#refuse(nameOf(socket), `there are ${this.#o.connectionsMax} connections already`);
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return true;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#o.tls === undefined && !this.#track(socket)) return;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const serving = this.#serve(socket).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #serve(socket: Socket): Promise<void> {
    const { silenceMs } = this.#o;
    const from = nameOf(socket);
    socket.on('timeout', () => socket.destroy(new Error(`silent for ${silenceMs / 1000} s`)));
    const expectWord = (isDue: boolean): void => {
      socket.setTimeout(isDue ? silenceMs : 0);
    };
    expectWord(true);
    const way = new MessageWay(socket.remoteAddress ?? '');
    socket.once('close', () => way.end());
    try {
      await this.#o.serve({ socket, from, expectWord, way });
    } catch (error) {
      if (this.#server !== undefined && !isUsualEnd(error)) {
        this.#refuse(from, error instanceof Error ? error.message : String(error));
      }
    } finally {
      socket.destroy();
      way.end();
    }
  }

  #refuse(from: string, why: string): void {
    this.#refused++;
    const now = performance.now();
    if (now - this.#saidAt < REFUSED_LOG_MS) return;
    this.#saidAt = now;
    this.#o.logger.warn({ from, refused: this.#refused }, `connection refused: ${why}`);
  }
}

function nameOf(socket: Socket): string {
  return formatSocketAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 });
}

/** Senders that go away, by whatever way: MongoShake's always resets. */
function isUsualEnd(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
