import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { ReplyCode } from '../../message/raw-message.ts';
import { formatPosition, type Position } from '../../oplog/position.ts';
import { Backoff } from '../../shared/backoff.ts';
import { sleep } from '../../shared/sleep.ts';
import { connectSocket } from './connect-socket.ts';
import { explainSocketError } from './explain-socket-error.ts';
import type { OutMessage } from './out-message.ts';
import type { Peer } from './peer.ts';
import type { SocketLane } from './socket-lane.ts';
import { SocketTunnelError } from './socket-tunnel-error.ts';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5000;
const REFUSED_MIN_MS = 100;
const REFUSED_MAX_MS = 30_000;
/** After this long without an ack that helps, it is said. */
const SLOW_MS = 10_000;

const refusals: Readonly<Record<number, string>> = {
  [ReplyCode.retransmission]: 'wants everything again that is not acknowledged',
  [ReplyCode.serverFault]: 'a fault of its own',
  [ReplyCode.checksumInvalid]: 'the checksum is wrong',
  [ReplyCode.compressorNotSupported]: 'it does not know the compressor',
  [ReplyCode.decompressInvalid]: 'it cannot decompress',
};

export interface LaneLinkOptions {
  readonly index: number;
  readonly lane: SocketLane;
  readonly peer: Peer;
  readonly tls: TlsOptions | undefined;
  /** Carries messages over fresh connections until one breaks. */
  readonly session: (link: LaneLink, signal: AbortSignal) => Promise<void>;
  /** The receiver has answered for the first time, or cannot be used as things are. */
  readonly onOpen: (error?: SocketTunnelError) => void;
}

/** Keeps one lane connected to its receiver: session after session, for as long as it takes. */
export class LaneLink {
  readonly index: number;
  readonly lane: SocketLane;
  readonly peer: Peer;
  readonly #o: LaneLinkOptions;
  readonly #reconnect = new Backoff({ minMs: RECONNECT_MIN_MS, maxMs: RECONNECT_MAX_MS });
  readonly #refused = new Backoff({ minMs: REFUSED_MIN_MS, maxMs: REFUSED_MAX_MS });
  /** When the lane was seen moving last, or with nothing to wait for. */
  #movedAt = 0;
  #lastAnswer: Position = 0n;
  /** How far the present session has come. */
  #stage: 'connecting' | 'connected' | 'answered' = 'connecting';

  constructor(options: LaneLinkOptions) {
    this.#o = options;
    this.index = options.index;
    this.lane = options.lane;
    this.peer = options.peer;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#movedAt = performance.now();
      this.#stage = 'connecting';
      const watch = setInterval(() => this.#checkProgress(), SLOW_MS / 2);
      try {
        await this.#o.session(this, signal);
      } catch (error) {
        if (!signal.aborted) this.#explain(error);
      } finally {
        clearInterval(watch);
      }
      this.lane.rewind();
      await sleep(this.#reconnect.nextMs(), signal);
    }
  }

  /** @param portsAfter which port after that of the address */
  async connect(portsAfter: number, signal: AbortSignal): Promise<Socket> {
    const { host, port } = this.peer.address;
    const address = { host, port: port + portsAfter };
    const socket = await connectSocket({ address, tls: this.#o.tls, signal });
    if (this.#stage === 'connecting') this.#stage = 'connected';
    return socket;
  }

  /** Writes a message of the lane; resolves when the socket wants more. */
  async send(socket: Socket, message: OutMessage, head?: Buffer): Promise<void> {
    this.peer.sent(message.position);
    if (this.lane.inFlight <= 1) this.#movedAt = performance.now();
    message.writing++;
    socket.cork();
    if (head !== undefined) socket.write(head);
    const goesOn = socket.write(message.bytesToSend(), () => {
      message.writing--;
    });
    socket.uncork();
    if (!goesOn) await drained(socket);
  }

  /**
   * Takes an answer of the receiver: an ack, or a reply code.
   * @param isExact see SocketLane.acknowledge
   * @returns false when everything has to be sent again
   */
  takeAnswer(answer: Position, isExact: boolean): boolean {
    this.#stage = 'answered';
    if (answer < 0n) {
      this.#complain(`refused a message (${answer}): ${refusals[Number(answer)] ?? 'for no known reason'}`);
      return false;
    }
    this.#o.onOpen();
    this.#reconnect.reset();
    this.#lastAnswer = answer;
    if (answer <= this.peer.highestSent && this.lane.acknowledge(answer, isExact)) {
      this.#movedAt = performance.now();
      this.#refused.reset();
    }
    if (!this.#isSlow) this.peer.recover(this.index);
    return true;
  }

  /** Pauses after a refusal, longer each time, and has everything sent again after that. */
  async recoverFromRefusal(signal: AbortSignal): Promise<void> {
    await sleep(this.#refused.nextMs(), signal);
    this.lane.rewind();
  }

  get #isSlow(): boolean {
    return this.lane.inFlight > 0 && performance.now() - this.#movedAt > SLOW_MS;
  }

  /** Says so when the receiver acknowledges nothing for long. */
  #checkProgress(): void {
    if (!this.#isSlow) return;
    const ack = this.#lastAnswer === 0n ? '' : `, its last ack is ${formatPosition(this.#lastAnswer)}`;
    const lie = this.#lastAnswer > this.peer.highestSent ? ', which was not sent' : '';
    this.#complain(`has acknowledged no message for more than ${SLOW_MS / 1000} s${ack}${lie}`);
  }

  #explain(error: unknown): void {
    const explained = explainSocketError(error, this.peer.name, this.#o.tls !== undefined);
    if (explained instanceof SocketTunnelError) {
      this.#o.onOpen(explained);
      this.peer.complain(this.index, explained.message);
    } else {
      this.peer.complain(this.index, `receiver ${explained}${this.#suspicion}`);
    }
  }

  /** What may be wrong at a far side that takes connections and closes them before any answer. */
  get #suspicion(): string {
    if (this.#stage !== 'connected') return '';
    const doubt =
      this.#o.tls === undefined
        ? 'is it a receiver of this tunnel, and has it tunnel.tls.enable'
        : 'does it trust the certificate in tunnel.tls.cert_file';
    return ` before any answer: ${doubt}?`;
  }

  #complain(what: string): void {
    this.peer.complain(this.index, `receiver ${this.peer.name} ${what}`);
  }
}

/** Resolves when the socket has written what it holds, or is closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
    if (socket.destroyed) done();
  });
}
