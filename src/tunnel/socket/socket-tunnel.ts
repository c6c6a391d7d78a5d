import type { SocketTlsConfig } from '../../config/config.ts';
import { ByteWriter } from '../../shared/byte-writer.ts';
import type { Logger } from '../../shared/logger.ts';
import type { MemoryBudget } from '../../shared/memory-budget.ts';
import type { LaneWriter, Tunnel, TunnelTraffic } from '../tunnel.ts';
import { LaneLink } from './lane-link.ts';
import type { MessageForm } from './message-form.ts';
import { Peer } from './peer.ts';
import type { SocketAddress } from '../../config/socket-address.ts';
import { SocketLane, type SocketLaneHost } from './socket-lane.ts';
import type { SocketTunnelError } from './socket-tunnel-error.ts';
import { loadTlsOptions } from './tls-options.ts';

export interface SocketTunnelOptions {
  /** Lane i goes to receiver i modulo their number. */
  readonly addresses: readonly SocketAddress[];
  readonly lanes: number;
  /** undefined: plain. */
  readonly tls: SocketTlsConfig | undefined;
  readonly newForm: (lane: number) => MessageForm;
  /** Carries the messages of one lane over fresh connections until one breaks. */
  readonly session: (link: LaneLink, signal: AbortSignal) => Promise<void>;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
}

/** Most bytes that lanes hold in all while the budget has room. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
/** What they may hold while the rest of the process has used the budget up: without it nothing would move. */
const WINDOW_BYTES_MIN = 1024 * 1024;
/** Buffers kept for reuse, and the largest kept. */
const SPARE_BUFFERS_MAX = 16;
const SPARE_BUFFER_BYTES_MAX = 1024 * 1024;

/**
 * Carries raw messages to receivers over sockets: the tunnels tcp and rpc, which differ in how they frame and send. A message is
 * held until the receiver's ack covers it (I3), within a window (I4), and sent again when a connection
 * is lost. It never fails for good: a receiver that is gone, slow or answers nonsense is waited for.
 */
export class SocketTunnel implements Tunnel {
  readonly failed: AbortSignal = new AbortController().signal;
  readonly #o: SocketTunnelOptions;
  readonly #peers: Peer[];
  readonly #lanes: SocketLane[];
  readonly #windowBytes: number;
  readonly #spares: ByteWriter[] = [];
  readonly #closed = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #heldBytes = 0;
  #doneBytes = 0;
  #retries = 0;
  #waiters: Array<() => void> = [];

  constructor(options: SocketTunnelOptions) {
    this.#o = options;
    const quarter = Math.min(WINDOW_BYTES_MAX, options.budget.limitBytes / 4);
    this.#windowBytes = Math.max(WINDOW_BYTES_MIN, quarter);
    this.#peers = options.addresses.map((address) => new Peer(address, options.logger));
    const host = this.#laneHost();
    this.#lanes = Array.from({ length: options.lanes }, (_, i) => new SocketLane(options.newForm(i), host));
  }

  get trouble(): string | undefined {
    return this.#peers.find((peer) => peer.trouble !== undefined)?.trouble;
  }

  get traffic(): TunnelTraffic {
    return { bytes: this.#doneBytes, retries: this.#retries };
  }

  /**
   * Connects all lanes and waits until their receivers have answered, for as long as it takes, with a warning.
   * @throws SocketTunnelError for what only a person can cure: certificates, files that cannot be read
   */
  async open(signal: AbortSignal): Promise<void> {
    const { tls, session } = this.#o;
    const tlsOptions = tls === undefined ? undefined : loadTlsOptions(tls);
    const missing = new Set(this.#lanes.keys());
    await new Promise<void>((resolve, reject) => {
      const stop = AbortSignal.any([signal, this.#closed.signal]);
      stop.addEventListener('abort', () => reject(asError(stop.reason)), { once: true });
      if (stop.aborted) return reject(asError(stop.reason));
      const links = this.#lanes.map((lane, index) => {
        const peer = this.#peers[index % this.#peers.length];
        peer.lanes++;
        const onOpen = (error?: SocketTunnelError): void => {
          if (missing.size === 0) return;
          if (error !== undefined) reject(error);
          missing.delete(index);
          if (missing.size === 0) resolve();
        };
        return new LaneLink({ index, lane, peer, tls: tlsOptions, session, onOpen });
      });
      this.#work = Promise.all(links.map((link) => link.run(this.#closed.signal)));
    });
  }

  lane(index: number): LaneWriter {
    return this.#lanes[index];
  }

  async drain(signal: AbortSignal): Promise<void> {
    const isDone = (): boolean => !this.#lanes.some((lane) => lane.isWaiting);
    await this.#waitUntil(isDone, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    await this.#work;
    for (const lane of this.#lanes) lane.dispose();
    this.#o.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
    this.#wakeAll();
  }

  #laneHost(): SocketLaneHost {
    const isFull = (): boolean => this.#isFull;
    return {
      borrowBuffer: () => this.#spares.pop() ?? new ByteWriter(),
      returnBuffer: (buffer) => {
        buffer.length = 0;
        if (this.#spares.length < SPARE_BUFFERS_MAX && buffer.bytes.length <= SPARE_BUFFER_BYTES_MAX) {
          this.#spares.push(buffer);
        }
      },
      hold: (bytes) => {
        this.#heldBytes += bytes;
        this.#o.budget.take(bytes);
      },
      release: (bytes) => {
        this.#heldBytes -= bytes;
        this.#doneBytes += bytes;
        this.#o.budget.give(bytes);
        // Receipts come after this; whoever waits for them is to see them given.
        queueMicrotask(() => this.#wakeAll());
      },
      countRetries: (messages) => {
        this.#retries += messages;
      },
      get isFull() {
        return isFull();
      },
      waitForRoom: () => this.#waitUntil(() => !this.#isFull, this.#closed.signal),
    };
  }

  get #isFull(): boolean {
    return this.#heldBytes > (this.#o.budget.hasRoom(0) ? this.#windowBytes : WINDOW_BYTES_MIN);
  }

  async #waitUntil(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wakeAll();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!isDone() && !signal.aborted && !this.#closed.signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#waiters.push(resolve);
        });
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  #wakeAll(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
