import type { TransactionalBatch } from './aborted-transactions.ts';
import { crc32c } from '../client/crc32c.ts';

/** One record, as far as a reader of messages needs it. */
export interface FetchedRecord {
  readonly offset: number;
  /** A view of the bytes that were fetched, or unpacked; null: a tombstone. */
  readonly value: Buffer | null;
}

// Where things lie in a record batch (kafka.apache.org/documentation, "Record Batch"), and in the message sets before it.
const LENGTH_AT = 8;
const LENGTH_END = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const MAGIC = 2;
const OLD_ATTRIBUTES_AT = 17;
/** Where the key of a message of magic 0 and 1 begins: after its attributes, and from 1 on its time. */
const OLD_KEY_AT = [18, 26];
const COMPRESSION_BITS = 0x7;

/**
 * Splits what was fetched of a partition into its batches; the last one may be cut off, and is left out.
 * @throws Error at a batch that is damaged
 */
export function* splitBatches(bytes: Buffer): Generator<FetchedBatch> {
  for (let at = 0; at + LENGTH_END <= bytes.length;) {
    const end = at + LENGTH_END + bytes.readInt32BE(at + LENGTH_AT);
    if (end > bytes.length) return;
    yield new FetchedBatch(bytes.subarray(at, end));
    at = end;
  }
}

/** A record batch as it came from the broker; its records are read when they are asked for. */
export class FetchedBatch implements TransactionalBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly producerId: bigint;
  readonly #bytes: Buffer;
  readonly #magic: number;

  /**
   * @param bytes from the batch's first offset to its end; also a message of the formats before Kafka 0.11, which brokers keep as
   * they were written
   * @throws Error when they are damaged
   */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.firstOffset = bytes.readBigInt64BE(0);
    this.#magic = bytes.readInt8(MAGIC_AT);
    if (this.#magic < MAGIC) {
      this.attributes = bytes.readInt8(OLD_ATTRIBUTES_AT) & COMPRESSION_BITS;
      this.lastOffsetDelta = 0;
      this.producerId = -1n;
      if (this.attributes !== 0) throw new Error(`${this.#name} is compressed in a format before Kafka 0.11`);
      return;
    }
    if (this.#magic > MAGIC) throw new Error(`${this.#name} has the unknown format ${this.#magic}`);
    if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes.subarray(ATTRIBUTES_AT))) {
      throw new Error(`${this.#name} is damaged: its checksum is wrong`);
    }
    this.attributes = bytes.readInt16BE(ATTRIBUTES_AT);
    this.lastOffsetDelta = bytes.readInt32BE(LAST_OFFSET_DELTA_AT);
    this.producerId = bytes.readBigInt64BE(PRODUCER_ID_AT);
  }

  get #name(): string {
    return `The batch at offset ${this.firstOffset}`;
  }

  /** Which compression the records have; 0: none. */
  get compressionBits(): number {
    return this.attributes & COMPRESSION_BITS;
  }

  /** The records as they lie, perhaps compressed. */
  get packedRecords(): Buffer {
    return this.#bytes.subarray(RECORDS_AT);
  }

  /** Offset after the batch. Exact: 2^53 records are more than a broker ever takes. */
  get nextOffset(): number {
    return Number(this.firstOffset) + this.lastOffsetDelta + 1;
  }

  /** Key of the first record of a batch that is not compressed, as control batches are. */
  controlKey(): Buffer | null {
    const cursor = new RecordCursor(this.packedRecords);
    cursor.next();
    return cursor.key();
  }

  /**
   * @param unpacked the records without their compression
   * @throws RangeError when they are damaged
   */
  *records(unpacked: Buffer): Generator<FetchedRecord> {
    if (this.#magic < MAGIC) {
      yield this.#oldRecord();
      return;
    }
    const firstOffset = Number(this.firstOffset);
    const cursor = new RecordCursor(unpacked);
    for (let left = this.#bytes.readInt32BE(COUNT_AT); left > 0; left--) {
      cursor.next();
      yield { offset: firstOffset + cursor.offsetDelta, value: cursor.value() };
    }
  }

  #oldRecord(): FetchedRecord {
    const bytes = this.#bytes;
    const keyAt = OLD_KEY_AT[this.#magic];
    const valueAt = keyAt + 4 + Math.max(0, bytes.readInt32BE(keyAt));
    const length = bytes.readInt32BE(valueAt);
    const start = valueAt + 4;
    const value = length < 0 ? null : bytes.subarray(start, start + length);
    return { offset: Number(this.firstOffset), value };
  }
}

/** Walks over records of the present format. */
class RecordCursor {
  offsetDelta = 0;
  readonly #bytes: Buffer;
  #keyStart = 0;
  #keyLength = 0;
  #at = 0;
  #end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): void {
    this.#at = this.#end;
    const length = this.#varint();
    this.#end = this.#at + length;
    if (length < 0 || this.#end > this.#bytes.length) throw new RangeError('Records end too early');
    this.#at += 1;
    // The time, up to ten bytes long.
    while (this.#byte() >= 0x80);
    this.offsetDelta = this.#varint();
    this.#keyLength = this.#varint();
    this.#keyStart = this.#at;
  }

  key(): Buffer | null {
    return this.#slice(this.#keyStart, this.#keyLength);
  }

  value(): Buffer | null {
    this.#at = this.#keyStart + Math.max(0, this.#keyLength);
    const length = this.#varint();
    return this.#slice(this.#at, length);
  }

  #slice(start: number, length: number): Buffer | null {
    if (length < 0) return null;
    if (start + length > this.#end) throw new RangeError('A record is shorter than its parts');
    return this.#bytes.subarray(start, start + length);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('Records end too early');
    return byte;
  }

  /** A zigzag varint of 32 bits. */
  #varint(): number {
    let unsigned = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte();
      unsigned |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (unsigned >>> 1) ^ -(unsigned & 1);
    }
  }
}
