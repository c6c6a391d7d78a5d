import type { Socket } from 'node:net';
import { RAW_HEADER_BYTES, RawTag } from '../../message/raw-message.ts';
import { sleep } from '../../shared/sleep.ts';
import { ByteQueue } from '../socket/byte-queue.ts';
import type { LaneLink } from '../socket/lane-link.ts';
import { runTogether } from '../socket/run-together.ts';
import { Wakeup } from '../socket/wakeup.ts';
import {
  ACK_BYTES,
  getAckPacket,
  PACKET_HEADER_BYTES,
  PacketType,
  takePacketHeader,
  writePacketHeader,
} from './packet.ts';

/** How often acks are asked for while messages are on their way, and else, to see that the receiver is there. */
const POLL_MS = 25;
/** One question to our own receiver is on its way at a time; this long after an answer comes the next. */
const OWN_POLL_MS = 5;
const IDLE_POLL_MS = 1000;
/** The ack port answers at once, whatever the other one is busy with. */
const ACK_TIMEOUT_MS = 30_000;
const PROBE_MIN_MS = 10;
const PROBE_MAX_MS = 300;
/** A lane whose acks are hidden behind those of other lanes sends again after this. */
const HIDDEN_ACK_MS = 60_000;
const FOREVER_MS = 2 ** 31 - 1;

/**
 * One pair of connections of a lane of the tcp tunnel: messages go to the port of the address, acks are asked for at the
 * next port.
 *
 * MongoShake's receiver answers all ack connections with the newest ack of any lane. With several lanes therefore only the
 * very position where a message of ours ends counts as its ack. Our own receiver makes itself known by a
 * `returnAck` on the transfer connection, where a MongoShake collector never reads; from then on it is asked there, and its answers are
 * those of this lane.
 */
export class TcpSession {
  readonly #link: LaneLink;
  readonly #transfer: Socket;
  readonly #acks: Socket;
  readonly #signal: AbortSignal;
  readonly #pollAcks = new Wakeup();
  readonly #pollOwn = new Wakeup();
  #isOwnReceiver = false;
  #isAskedFor = false;
  #isRefused = false;
  /** Since when the acks at the ack port have been ahead of what this lane waits for. */
  #behindSince = performance.now();

  private constructor(options: { link: LaneLink; transfer: Socket; acks: Socket; signal: AbortSignal }) {
    this.#link = options.link;
    this.#transfer = options.transfer;
    this.#acks = options.acks;
    this.#signal = options.signal;
  }

  /** Carries the link's messages until a connection breaks or the signal aborts. */
  static run(link: LaneLink, signal: AbortSignal): Promise<void> {
    return runTogether(signal, async (stop, sockets) => {
      const transfer = await link.connect(0, stop);
      sockets.push(transfer);
      const acks = await link.connect(1, stop);
      sockets.push(acks);
      const session = new TcpSession({ link, transfer, acks, signal: stop });
      return [session.#send(), session.#readTransfer(), session.#readAcks(), session.#askOwn()];
    });
  }

  async #send(): Promise<void> {
    const { lane } = this.#link;
    let pauseMs = PROBE_MIN_MS;
    while (!this.#signal.aborted) {
      if (this.#isRefused) await this.#sendAgain();
      const message = lane.next();
      if (message !== undefined) {
        await this.#link.send(this.#transfer, message);
        this.#pollAcks.wake();
        this.#pollOwn.wake();
        pauseMs = PROBE_MIN_MS;
      } else if (lane.inFlight === 0 || this.#isOwnReceiver) {
        await lane.wakeup.wait(FOREVER_MS, this.#signal);
        pauseMs = PROBE_MIN_MS;
      } else if (await lane.wakeup.wait(pauseMs, this.#signal)) {
        pauseMs = Math.min(pauseMs * 2, PROBE_MAX_MS);
        // Its handling brings this lane's ack to the ack port.
        this.#transfer.write(emptyPacket(this.#link.index, RawTag.probe));
      }
    }
  }

  async #sendAgain(): Promise<void> {
    this.#isRefused = false;
    const isEmpty = this.#link.lane.inFlight === 0;
    await this.#link.recoverFromRefusal(this.#signal);
    // A receiver that waits for a retransmission takes nothing else, and one without a message will do.
    if (isEmpty) this.#transfer.write(emptyPacket(this.#link.index, RawTag.retransmission));
  }

  async #readAcks(): Promise<void> {
    const { lane, peer } = this.#link;
    this.#acks.setTimeout(ACK_TIMEOUT_MS, () => {
      this.#acks.destroy(new Error(`no answer at the ack port within ${ACK_TIMEOUT_MS / 1000} s`));
    });
    this.#acks.write(getAckPacket());
    for await (const ack of readAckPackets(this.#acks)) {
      if (this.#isOwnReceiver) {
        // What it answers here is not meant for one lane; it shows that the receiver is there.
        await sleep(IDLE_POLL_MS, this.#signal);
      } else {
        this.#take(ack, peer.lanes > 1);
        if (this.#isHidden(ack)) lane.rewind();
        await this.#pollAcks.wait(lane.inFlight > 0 ? POLL_MS : IDLE_POLL_MS, this.#signal);
      }
      this.#acks.write(getAckPacket());
    }
    throw new Error('the receiver closed the ack connection');
  }

  async #readTransfer(): Promise<void> {
    for await (const ack of readAckPackets(this.#transfer)) {
      this.#isOwnReceiver = true;
      this.#isAskedFor = false;
      this.#take(ack, false);
      this.#pollOwn.wake();
    }
    throw new Error('the receiver closed the connection');
  }

  /** Asks our own receiver for the acks of this connection, one question at a time. */
  async #askOwn(): Promise<void> {
    const { lane } = this.#link;
    while (!this.#signal.aborted) {
      await this.#pollOwn.wait(FOREVER_MS, this.#signal);
      while (this.#isOwnReceiver && !this.#isAskedFor && lane.inFlight > 0 && !this.#signal.aborted) {
        this.#isAskedFor = true;
        this.#transfer.write(getAckPacket());
        await sleep(OWN_POLL_MS, this.#signal);
      }
    }
  }

  /** Whether only acks of other lanes, further ahead, have been seen for long. */
  #isHidden(ack: bigint): boolean {
    const now = performance.now();
    if (!this.#link.lane.isBehind(ack)) this.#behindSince = now;
    if (now - this.#behindSince <= HIDDEN_ACK_MS) return false;
    this.#behindSince = now;
    return true;
  }

  #take(ack: bigint, isExact: boolean): void {
    if (this.#link.takeAnswer(ack, isExact)) return;
    this.#isRefused = true;
    this.#link.lane.wakeup.wake();
  }
}

/** @throws Error for bytes that are no acks, and the socket's errors */
async function* readAckPackets(socket: Socket): AsyncGenerator<bigint> {
  const queue = new ByteQueue();
  let isHeaderRead = false;
  for await (const chunk of socket) {
    queue.push(chunk);
    for (;;) {
      if (!isHeaderRead) {
        const header = takePacketHeader(queue);
        if (header === undefined) break;
        if (header === 'invalid' || header.type !== PacketType.returnAck || header.length !== ACK_BYTES) {
          throw new Error('the receiver sent bytes that are no ack');
        }
        isHeaderRead = true;
      }
      const bytes = queue.take(ACK_BYTES);
      if (bytes === undefined) break;
      isHeaderRead = false;
      yield bytes.readBigInt64BE();
    }
  }
}

/** A message without entries: asks for the ack, or begins a retransmission. */
function emptyPacket(shard: number, tag: number): Buffer {
  const packet = Buffer.alloc(PACKET_HEADER_BYTES + RAW_HEADER_BYTES);
  writePacketHeader(packet, 0, { type: PacketType.write, length: RAW_HEADER_BYTES });
  packet.writeUInt32BE(tag | RawTag.resident, PACKET_HEADER_BYTES + 4);
  packet.writeUInt32BE(shard, PACKET_HEADER_BYTES + 8);
  return packet;
}
