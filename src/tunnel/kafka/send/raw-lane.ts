import type { Compressor } from '../../../message/compressor.ts';
import { RawTag } from '../../../message/raw-message.ts';
import { RawMessageWriter } from '../../../message/raw-message-writer.ts';
import { EntryHeader } from '../../../oplog/entry-header.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import type { LaneWriter } from '../../tunnel.ts';
import type { KafkaLane, KafkaLaneHost } from './kafka-lane.ts';
import type { LaneReceipts } from './lane-receipts.ts';
import { writeMessageHeaders } from './record-headers.ts';

/** What a log takes besides its bytes: its length, and what compression may add to bytes that it cannot shrink. */
const LOG_OVERHEAD_BYTES = 64;
/** Room that a record batch needs around one value. */
const RECORD_OVERHEAD_BYTES = 256;
const OUT_BYTES = 64 * 1024;

/**
 * A lane that makes one record of all entries of a flush: a complete raw message of MongoShake, or several when they
 * do not fit into a record.
 */
export class RawLane implements LaneWriter, KafkaLane {
  readonly receipts: LaneReceipts;
  readonly #index: number;
  readonly #host: KafkaLaneHost;
  readonly #message: RawMessageWriter;
  readonly #out = new ByteWriter(OUT_BYTES);
  /** The first entry of the message, for its time and for error messages. */
  readonly #first = new EntryHeader();
  #sentBytes = 0;
  #heldBytes = 0;
  /** Of the message that is being gathered. */
  #count = 0;
  readonly #last = { seconds: 0, committedIncrement: 0 };

  constructor(options: {
    index: number;
    host: KafkaLaneHost;
    compressor: Compressor;
    receipts: LaneReceipts;
  }) {
    this.receipts = options.receipts;
    this.#index = options.index;
    this.#host = options.host;
    this.#message = new RawMessageWriter({ compressor: options.compressor });
  }

  /** Bytes given to the partition and not acknowledged, and those of the message that is being gathered. */
  get pendingBytes(): number {
    return this.#sentBytes + this.#out.length;
  }

  /** The tunnel takes off what has become durable. */
  set pendingBytes(bytes: number) {
    this.#sentBytes = bytes - this.#out.length;
  }

  append(header: EntryHeader): Promise<void> | undefined {
    const host = this.#host;
    const out = this.#out;
    const most = host.recordBytesMax - RECORD_OVERHEAD_BYTES;
    if (out.length > 0 && out.length + header.length + LOG_OVERHEAD_BYTES > most) this.sendAll();
    if (out.length === 0) this.#begin(header);
    this.#message.append(header.bytes, header.start, header.end);
    this.#count++;
    this.#last.seconds = header.seconds;
    this.#last.committedIncrement = header.committedIncrement;
    this.#hold(out.length);
    if (out.length >= most) this.sendAll();
    return host.mustWait ? host.waitForRoom() : undefined;
  }

  flush(onDurable: () => void): void {
    this.sendAll();
    this.receipts.flush(onDurable);
  }

  /** Ends the message and gives it to the partition. */
  sendAll(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#message.finish();
    const partition = this.#host.partitionOfLane(this.#index);
    this.receipts.touch(partition);
    const valueEnd = out.length;
    if (this.#host.withHeaders) writeMessageHeaders(out, this.#last, this.#count);
    this.#sentBytes += partition.appendBytes(this.#index, this.#first, { bytes: out.view(), valueEnd });
    out.length = 0;
    this.#hold(0);
  }

  #begin(header: EntryHeader): void {
    this.#count = 0;
    const first = this.#first;
    first.clear(header.bytes, header.start, header.end);
    first.wallAt = header.wallAt;
    first.seconds = header.seconds;
    first.increment = header.increment;
    first.nsStart = header.nsStart;
    first.nsEnd = header.nsEnd;
    this.#message.begin(this.#out, { tag: RawTag.persistent, shard: this.#index });
  }

  #hold(bytes: number): void {
    this.#host.hold(bytes - this.#heldBytes);
    this.#heldBytes = bytes;
  }
}
