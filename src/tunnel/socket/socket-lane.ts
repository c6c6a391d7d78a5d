import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { Position } from '../../oplog/position.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { LaneWriter } from '../tunnel.ts';
import type { MessageForm } from './message-form.ts';
import { OutMessage } from './out-message.ts';
import { Wakeup } from './wakeup.ts';

/** What a lane needs of its tunnel. */
export interface SocketLaneHost {
  /** An empty writer for a new message, and back when nobody reads its bytes any more. */
  borrowBuffer(): ByteWriter;
  returnBuffer(buffer: ByteWriter): void;
  /** Counts bytes that are held (I4). */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Counts what has to be sent again. */
  countRetries(messages: number): void;
  /** Whether lanes must wait before they take more. */
  readonly isFull: boolean;
  waitForRoom(): Promise<void>;
}

/** A message that has grown to this is sent without a flush. */
const MESSAGE_BYTES = 512 * 1024;
/** Entries with one position are kept in one message up to this, since an ack names only a position. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** How long after its sending an ack of a position that two messages share is taken for the later one. */
const SHARED_END_MS = 5000;

/**
 * One lane of a socket tunnel. Entries gather in a message until it is flushed or large; messages are held, in their order,
 * until an ack covers them (I3), and are sent again from the first when a connection is lost. Its link takes
 * the messages out with {@link next} and tells of acks.
 */
export class SocketLane implements LaneWriter {
  /** Wakes the link: there is something to send. */
  readonly wakeup = new Wakeup();
  readonly #form: MessageForm;
  readonly #host: SocketLaneHost;
  #open: OutMessage | undefined;
  #isFlushWanted = false;
  /** Sealed and not acknowledged; the first `#sent` of them have been sent on the present connection. */
  readonly #queue: OutMessage[] = [];
  #sent = 0;
  /** The newest sealed message ended here. */
  #lastEnd: Position = 0n;
  #begun = 0;
  #done = 0;
  readonly #receipts: Array<{ readonly begun: number; readonly onDurable: () => void }> = [];
  #pendingBytes = 0;

  constructor(form: MessageForm, host: SocketLaneHost) {
    this.#form = form;
    this.#host = host;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether a receipt has still to be given. */
  get isWaiting(): boolean {
    return this.#receipts.length > 0;
  }

  /** Messages that were sent on the present connection and not acknowledged. */
  get inFlight(): number {
    return this.#sent;
  }

  /** Whether a message waits for its ack that ends before `ack`. */
  isBehind(ack: Position): boolean {
    return this.#sent > 0 && this.#queue[0].position < ack;
  }

  append(header: EntryHeader): Promise<void> | undefined {
    let open = this.#open;
    if (open !== undefined && open.out.length >= MESSAGE_BYTES && this.#mayEnd(open, header)) {
      this.#seal(open);
      open = undefined;
    }
    open ??= this.#begin();
    const { out } = open;
    const before = out.length;
    this.#form.append(header.bytes, header.start, header.end);
    open.seconds = header.seconds;
    open.increment = header.increment;
    this.#hold(out.length - before);
    return this.#host.isFull ? this.#wait() : undefined;
  }

  flush(onDurable: () => void): void {
    this.#receipts.push({ begun: this.#begun, onDurable });
    this.#settle();
    if (this.#open !== undefined) this.#wantFlush();
  }

  /** The message to send now; counts as sent from then on. */
  next(): OutMessage | undefined {
    if (this.#sent === this.#queue.length && this.#isFlushWanted && this.#open !== undefined) {
      this.#seal(this.#open);
    }
    const message = this.#queue[this.#sent];
    if (message === undefined || (message.sharesEnd && this.#sent > 0)) return undefined;
    this.#sent++;
    return message;
  }

  /** The connection is lost, or the far side asks for it: everything not acknowledged is sent again, from the first. */
  rewind(): void {
    this.#host.countRetries(this.#sent);
    this.#sent = 0;
    this.wakeup.wake();
  }

  /**
   * The far side has done everything up to `ack`.
   * @param isExact only an ack of the very end of a message counts: it may be meant for another lane
   * @returns whether something became durable by it
   */
  acknowledge(ack: Position, isExact: boolean): boolean {
    const end = isExact
      ? this.#queue.findLastIndex(({ position }, index) => index < this.#sent && position === ack)
      : this.#sent - 1;
    let covered = 0;
    while (covered <= end && this.#isCovered(this.#queue[covered], ack)) covered++;
    if (covered === 0) return false;
    this.#sent -= covered;
    for (const message of this.#queue.splice(0, covered)) this.#release(message);
    this.#settle();
    this.wakeup.wake();
    return true;
  }

  /** Drops everything; no receipt is given any more. */
  dispose(): void {
    this.#receipts.length = 0;
    this.#queue.length = this.#sent = 0;
    this.#open = undefined;
  }

  #begin(): OutMessage {
    const message = new OutMessage(this.#host.borrowBuffer());
    this.#form.begin(message.out);
    this.#open = message;
    this.#begun++;
    this.#hold(message.out.length);
    return message;
  }

  #mayEnd({ out, seconds, increment }: OutMessage, next: EntryHeader): boolean {
    return next.increment !== increment || next.seconds !== seconds || out.length >= MESSAGE_BYTES_MAX;
  }

  #seal(message: OutMessage): void {
    const before = message.out.length;
    message.seal(this.#form.finish());
    this.#hold(message.out.length - before);
    message.sharesEnd = message.position === this.#lastEnd;
    this.#lastEnd = message.position;
    this.#open = undefined;
    this.#isFlushWanted = false;
    this.#queue.push(message);
    this.wakeup.wake();
  }

  /** Waits with nothing kept back: only an ack can make room. */
  async #wait(): Promise<void> {
    this.#wantFlush();
    await this.#host.waitForRoom();
  }

  #wantFlush(): void {
    this.#isFlushWanted = true;
    this.wakeup.wake();
  }

  #isCovered(message: OutMessage, ack: Position): boolean {
    if (message.position !== ack) return message.position < ack;
    return !message.sharesEnd || performance.now() - message.sentAt > SHARED_END_MS;
  }

  #hold(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#host.hold(bytes);
  }

  #release(message: OutMessage): void {
    this.#done++;
    this.#pendingBytes -= message.out.length;
    this.#host.release(message.out.length);
    // Acknowledged on one connection while another still holds the bytes: the buffer is left to the collector of garbage.
    if (message.writing === 0) this.#host.returnBuffer(message.out);
  }

  #settle(): void {
    while ((this.#receipts[0]?.begun ?? Number.POSITIVE_INFINITY) <= this.#done) {
      this.#receipts.shift()?.onDurable();
    }
  }
}
