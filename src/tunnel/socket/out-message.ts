import { positionOf, type Position } from '../../oplog/position.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { FinishedMessage } from './message-form.ts';
import { RawTag } from '../../message/raw-message.ts';

/** One message of a lane, from its first entry until the far side has acknowledged it. */
export class OutMessage {
  readonly out: ByteWriter;
  /** `ts` of its last entry. */
  seconds = 0;
  increment = 0;
  /** The same as one number, once it is sealed. */
  position: Position = 0n;
  /**
   * It ends at the position where the message before it ended: parts of one large transaction. An ack of that position
   * does not tell which of them it means.
   */
  sharesEnd = false;
  /** When it was sent last, in milliseconds of `performance.now`. */
  sentAt = 0;
  /** Sockets that still hold its bytes: they may not be written to. */
  writing = 0;
  #finished: FinishedMessage = { startAt: 0, tagByteAt: 0 };
  #wasSent = false;

  constructor(out: ByteWriter) {
    this.out = out;
  }

  seal(finished: FinishedMessage): void {
    this.#finished = finished;
    this.position = positionOf(this.seconds, this.increment);
  }

  /** The bytes to send now; from the second time on they say so in the tag. */
  bytesToSend(): Buffer {
    const { startAt, tagByteAt } = this.#finished;
    const { bytes, length } = this.out;
    if (this.#wasSent) bytes[tagByteAt] |= RawTag.retransmission;
    this.#wasSent = true;
    this.sentAt = performance.now();
    return bytes.subarray(startAt, length);
  }
}
