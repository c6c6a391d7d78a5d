import { isIP, type Socket } from 'node:net';
import type { ConnectionOptions as NodeTlsOptions } from 'node:tls';
import type { Connection, Reader, SASLOptions, Writer } from '@platformatic/kafka';
import { writeUnsignedVarint } from './varint.ts';
import { formatBrokerAddress, type BrokerAddress } from './broker-address.ts';
import { client } from './client.ts';

/** How to reach brokers. */
export interface BrokerConnectionOptions {
  readonly clientId: string;
  /** CA, certificate, key, ...: as Node's tls.connect takes them; undefined: plain TCP. */
  readonly tls?: NodeTlsOptions | undefined;
  readonly sasl?: SASLOptions | undefined;
  /** For connecting and logging in, and then for the first answer. */
  readonly connectTimeoutMs: number;
  /** A request without an answer for so long ends the connection. */
  readonly requestTimeoutMs: number;
}

/** One request: its number and version, its body in pieces, and how to read the answer. */
export interface BrokerRequest<T> {
  readonly key: number;
  readonly version: number;
  readonly body: readonly Buffer[];
  readonly parse: (reader: Reader, key: number, version: number) => T;
  /** False only for ApiVersions, whose answer must be readable for any client. */
  readonly taggedAnswer?: boolean;
}

/** Called once: with the answer, or with why there is none. */
export interface Answered<T> {
  answer(answer: T): void;
  fail(error: Error): void;
}

/** A request had no answer for too long. */
export class SilentBrokerError extends Error {}

interface Pending {
  readonly sentAtMs: number;
  readonly answer: (reader: Reader) => void;
  readonly fail: (error: Error) => void;
}

/** Highest version of each API that both sides know how to speak, by API key. */
export type BrokerVersions = ReadonlyMap<number, number>;

const FRAME_LENGTH_BYTES = 4;
/** Our correlation ids begin here, away from those that the client counts for its own (re)authentication. */
const CORRELATION_BASE = 0x4000_0000;
const CORRELATION_COUNT = 0x3fff_ffff;

/**
 * A connection to one broker. The client's Connection does TCP, TLS and SASL (also again when a session ends);
 * requests and answers are framed here, so that a batch of half a megabyte goes to the socket as it lies, in one
 * gathered write, and not through a copy of the whole request.
 */
export class BrokerConnection {
  readonly address: BrokerAddress;
  /** What the broker's ApiVersions answer offers: maximum version by API key, and minimum. */
  versions: ReadonlyMap<number, { readonly min: number; readonly max: number }> = new Map();
  readonly #client: Connection;
  readonly #options: BrokerConnectionOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #onClosed: Array<(error: Error) => void> = [];
  readonly #clientId: Buffer;
  #socket: Socket | undefined;
  #clientListeners: ReturnType<Socket['listeners']> = [];
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  /** So many bytes have to come before there is a whole frame. */
  #frameBytes = FRAME_LENGTH_BYTES;
  #lastCorrelation = 0;
  #watch: NodeJS.Timeout | undefined;
  #timeoutMs: number;
  #lastBytesMs = 0;
  #lastCheckMs = 0;
  #error: Error | undefined;

  private constructor(address: BrokerAddress, options: BrokerConnectionOptions) {
    this.address = address;
    this.#options = options;
    this.#timeoutMs = options.connectTimeoutMs;
    this.#clientId = Buffer.from(options.clientId);
    const tls = options.tls;
    this.#client = new client.Connection(options.clientId, {
      connectTimeout: options.connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      ...(tls === undefined ? {} : { tls, ...serverName(tls, address.host) }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    });
    // Without a listener an error event would end the process; it comes to us through connect and close as well.
    this.#client.on('error', (error) => {
      this.#error ??= error;
    });
  }

  /**
   * Connects, authenticates, and asks for the versions of the broker's APIs, which shows that it answers.
   * @throws what the client throws: unreachable, TLS, SASL
   */
  static async open(
    address: BrokerAddress,
    options: BrokerConnectionOptions,
    signal: AbortSignal,
  ): Promise<BrokerConnection> {
    const connection = new BrokerConnection(address, options);
    const abort = (): void => connection.close(new Error('Stopped while connecting'));
    signal.addEventListener('abort', abort, { once: true });
    try {
      await connection.#client.connect(address.host, address.port);
      connection.#takeOver(connection.#client.socket);
      await connection.#learnVersions();
      connection.#timeoutMs = options.requestTimeoutMs;
      return connection;
    } catch (error) {
      connection.close(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed;
  }

  /** False while the client authenticates again: nothing else may be sent then (KIP-368). */
  get isReady(): boolean {
    return this.isOpen && this.#client.isConnected();
  }

  get name(): string {
    return formatBrokerAddress(this.address);
  }

  /** For how long a request has been waiting while not a byte has come; 0 when none waits. */
  get silentMs(): number {
    for (const { sentAtMs } of this.#pending.values()) {
      return performance.now() - Math.max(sentAtMs, this.#lastBytesMs);
    }
    return 0;
  }

  /** Calls `listener` once when the connection ends, after all its requests have failed. */
  onClosed(listener: (error: Error) => void): void {
    this.#onClosed.push(listener);
  }

  /** Calls `listener` once when the client has authenticated again. */
  onceReady(listener: () => void): void {
    this.#client.once('connect', listener);
  }

  /** The highest version in [min, max] that the broker speaks too, or undefined. */
  version(key: number, min: number, max: number): number | undefined {
    const offered = this.versions.get(key);
    if (offered === undefined) return undefined;
    const best = Math.min(max, offered.max);
    return best >= min && best >= offered.min ? best : undefined;
  }

  /** Sends a request; the pieces of its body must stay as they are until it is answered or the connection is closed. */
  request<T>(request: BrokerRequest<T>, answered: Answered<T>): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) {
      answered.fail(this.#error ?? new Error(`The connection to ${this.name} is closed`));
      return;
    }
    this.#lastCorrelation = (this.#lastCorrelation % CORRELATION_COUNT) + 1;
    const correlation = CORRELATION_BASE + this.#lastCorrelation;
    const { parse, key, version, taggedAnswer = true } = request;
    this.#pending.set(correlation, {
      sentAtMs: performance.now(),
      answer: (reader) => {
        if (taggedAnswer) reader.readUnsignedVarInt();
        answered.answer(parse(reader, key, version));
      },
      fail: (error) => answered.fail(error),
    });
    socket.cork();
    socket.write(this.#head(request, correlation));
    for (const piece of request.body) socket.write(piece);
    socket.uncork();
  }

  /** As {@link request}, with a promise. */
  ask<T>(request: BrokerRequest<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.request(request, { answer: resolve, fail: reject });
    });
  }

  /** Ends the connection at once; open requests fail with `reason`. */
  close(reason: Error = new Error('Closed')): void {
    this.#error ??= reason;
    clearInterval(this.#watch);
    const socket = this.#socket ?? this.#client.socket;
    if (socket !== undefined && !socket.destroyed) this.#destroy(socket);
    // Also stops the client's timers.
    this.#client.close().catch(() => undefined);
    this.#ended();
  }

  /**
   * What has not left this host must not leave it later: after a plain end the kernel goes on sending a request that we have given up, and the
   * broker would carry it out beside its repeat, at a time of its own. A TLS socket cannot be reset.
   */
  #destroy(socket: Socket): void {
    if (this.#pending.size > 0 && this.#options.tls === undefined) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** Request header v2. */
  #head(request: BrokerRequest<unknown>, correlation: number): Buffer {
    const head = Buffer.allocUnsafe(FRAME_LENGTH_BYTES + 11 + this.#clientId.length);
    let at = head.writeInt16BE(request.key, FRAME_LENGTH_BYTES);
    at = head.writeInt16BE(request.version, at);
    at = head.writeInt32BE(correlation, at);
    at = head.writeInt16BE(this.#clientId.length, at);
    at += this.#clientId.copy(head, at);
    at = writeUnsignedVarint(head, at, 0);
    let length = at - FRAME_LENGTH_BYTES;
    for (const piece of request.body) length += piece.length;
    head.writeInt32BE(length, 0);
    return head;
  }

  #takeOver(socket: Socket): void {
    this.#socket = socket;
    this.#clientListeners = socket.listeners('data');
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('close', () => this.#ended());
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const { connectTimeoutMs, requestTimeoutMs } = this.#options;
    const everyMs = Math.min(connectTimeoutMs / 2, requestTimeoutMs / 2, CHECK_EVERY_MS);
    this.#watch = setInterval(() => this.#checkTimeout(), everyMs);
    this.#watch.unref();
    this.#lastCheckMs = performance.now();
  }

  #checkTimeout(): void {
    const nowMs = performance.now();
    // A process that stood still finds out that time is over before it has read what has come meanwhile.
    const stoodStill = nowMs - this.#lastCheckMs > 2 * CHECK_EVERY_MS;
    this.#lastCheckMs = nowMs;
    if (stoodStill) return;
    const timeoutMs = this.#timeoutMs;
    for (const { sentAtMs } of this.#pending.values()) {
      if (nowMs - sentAtMs > timeoutMs) {
        const silence = `no answer from ${this.name} for ${Math.round(timeoutMs / 1000)} s`;
        this.close(new SilentBrokerError(silence));
      }
      return;
    }
  }

  async #learnVersions(): Promise<void> {
    const { api, createRequest, parseResponse } = client.apiVersionsV3;
    const answer = await this.ask({
      key: api.key,
      version: api.version,
      body: bodyOf(createRequest('oplogue', '1')),
      parse: (reader, key, version) => parseResponse(0, key, version, reader),
      taggedAnswer: false,
    });
    this.versions = new Map(answer.apiKeys.map((a) => [a.apiKey, { min: a.minVersion, max: a.maxVersion }]));
  }

  /** The pieces of an answer are joined once, when it is whole. */
  #onData(chunk: Buffer): void {
    this.#lastBytesMs = performance.now();
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#chunkBytes < this.#frameBytes) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#chunkBytes);
    this.#frameBytes = FRAME_LENGTH_BYTES;
    while (bytes.length >= FRAME_LENGTH_BYTES) {
      const end = FRAME_LENGTH_BYTES + bytes.readInt32BE(0);
      if (bytes.length < end) {
        this.#frameBytes = end;
        break;
      }
      this.#onFrame(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#chunkBytes = bytes.length;
  }

  #onFrame(frame: Buffer): void {
    const correlation = frame.readInt32BE(FRAME_LENGTH_BYTES);
    const pending = this.#pending.get(correlation);
    if (pending === undefined) {
      for (const listener of this.#clientListeners) Reflect.apply(listener, this.#socket, [frame]);
      return;
    }
    this.#pending.delete(correlation);
    const reader = client.Reader.from(frame);
    reader.skip(FRAME_LENGTH_BYTES + 4);
    try {
      pending.answer(reader);
    } catch (error) {
      pending.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #ended(): void {
    clearInterval(this.#watch);
    this.#socket = undefined;
    const error = this.#error ?? new Error(`${this.name} closed the connection`);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { fail } of pending) fail(error);
    for (const listener of this.#onClosed.splice(0)) listener(error);
  }
}

const CHECK_EVERY_MS = 1000;
/** How long an idle connection waits before it probes whether the far side is still there. */
const KEEP_ALIVE_MS = 30_000;

/** The body that one of the client's request makers has written. */
export function bodyOf(writer: Writer): Buffer[] {
  return writer.buffers;
}

/** SNI wants a name, never an address. */
function serverName(tls: NodeTlsOptions, host: string): { tlsServerName?: string } {
  if (tls.servername !== undefined) return { tlsServerName: tls.servername };
  return isIP(host) === 0 ? { tlsServerName: host } : {};
}
