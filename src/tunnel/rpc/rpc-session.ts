import type { Socket } from 'node:net';
import { RawTag } from '../../message/raw-message.ts';
import { sleep } from '../../shared/sleep.ts';
import type { LaneLink } from '../socket/lane-link.ts';
import type { OutMessage } from '../socket/out-message.ts';
import { runTogether } from '../socket/run-together.ts';
import { GobStream } from './gob-stream.ts';
import { encodeEmptyMessage, encodeRequest, readInt64, readResponse } from './rpc-wire.ts';

const PROBE_MIN_MS = 5;
const PROBE_MAX_MS = 300;
const FOREVER_MS = 2 ** 31 - 1;
/** An answer is a few dozen bytes. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** A receiver may take its time, but its machine must be there: looked for with a new connection when it is silent for so long. */
const SILENCE_MS = 60_000;

/** A call that has no answer yet. */
interface Waiting {
  readonly since: number;
  readonly resolve: (ack: bigint) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection of a lane of the rpc tunnel: one call of `TunnelRPC.Transfer` after the other, as MongoShake makes them.
 * An answer is the ack from before its own message was handled, so while nothing is to be sent, probes ask
 * for the last one.
 */
export class RpcSession {
  readonly #link: LaneLink;
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #seq = 0;
  #waiting: Waiting | undefined;

  private constructor(options: { link: LaneLink; socket: Socket; signal: AbortSignal }) {
    this.#link = options.link;
    this.#socket = options.socket;
    this.#signal = options.signal;
    const giveUp = (): void => this.#waiting?.reject(new Error('the connection is closed'));
    options.signal.addEventListener('abort', giveUp, { once: true });
  }

  /** Carries the link's messages until the connection breaks or the signal aborts. */
  static run(link: LaneLink, signal: AbortSignal): Promise<void> {
    return runTogether(signal, async (stop, sockets) => {
      const socket = await link.connect(0, stop);
      sockets.push(socket);
      const session = new RpcSession({ link, socket, signal: stop });
      return [session.#send(), session.#read(), session.#watch()];
    });
  }

  async #send(): Promise<void> {
    const { lane } = this.#link;
    // Says at once whether the far side is a receiver.
    await this.#callEmpty(RawTag.probe);
    let pauseMs = PROBE_MIN_MS;
    while (!this.#signal.aborted) {
      const message = lane.next();
      if (message !== undefined) {
        await this.#call(message);
        pauseMs = PROBE_MIN_MS;
      } else if (lane.inFlight === 0) {
        await lane.wakeup.wait(FOREVER_MS, this.#signal);
        pauseMs = PROBE_MIN_MS;
      } else if (await lane.wakeup.wait(pauseMs, this.#signal)) {
        pauseMs = Math.min(pauseMs * 2, PROBE_MAX_MS);
        await this.#callEmpty(RawTag.probe);
      }
    }
  }

  async #call(message: OutMessage): Promise<void> {
    const answered = this.#answer();
    const [, ack] = await Promise.all([
      this.#link.send(this.#socket, message, encodeRequest(this.#seq)),
      answered,
    ]);
    await this.#take(ack);
  }

  async #callEmpty(tag: number): Promise<void> {
    const answered = this.#answer();
    const message = encodeEmptyMessage(tag | RawTag.resident, this.#link.index);
    this.#socket.write(Buffer.concat([encodeRequest(this.#seq), message]));
    await this.#take(await answered);
  }

  #answer(): Promise<bigint> {
    return new Promise((resolve, reject) => {
      this.#waiting = { since: performance.now(), resolve, reject };
    });
  }

  async #take(ack: bigint): Promise<void> {
    this.#seq++;
    if (this.#link.takeAnswer(ack, false)) return;
    const isEmpty = this.#link.lane.inFlight === 0;
    await this.#link.recoverFromRefusal(this.#signal);
    // A receiver that waits for a retransmission takes nothing else, and one without a message will do.
    if (isEmpty && !this.#signal.aborted) await this.#callEmpty(RawTag.retransmission);
  }

  async #read(): Promise<void> {
    const stream = new GobStream(ANSWER_BYTES_MAX);
    let isBodyNext = false;
    for await (const chunk of this.#socket) {
      stream.queue.push(chunk);
      for (let value = stream.next(); value !== undefined; value = stream.next()) {
        if (isBodyNext) {
          const waiting = this.#waiting;
          if (waiting === undefined) throw new Error('the receiver answers what was not asked');
          this.#waiting = undefined;
          waiting.resolve(readInt64(value));
        } else {
          const { seq, error } = readResponse(stream, value);
          if (error !== '') throw new Error(`the receiver answers: ${error}`);
          if (seq !== this.#seq) throw new Error('the receiver answers another call');
        }
        isBodyNext = !isBodyNext;
      }
    }
    throw new Error('the receiver closed the connection');
  }

  /** Finds out whether a silent receiver is still there: a machine that has vanished closes nothing. */
  async #watch(): Promise<void> {
    while (!this.#signal.aborted) {
      await sleep(SILENCE_MS / 2, this.#signal);
      const since = this.#waiting?.since ?? performance.now();
      if (performance.now() - since < SILENCE_MS) continue;
      const other = await this.#link.connect(0, this.#signal);
      other.destroy();
    }
  }
}
