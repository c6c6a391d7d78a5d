import type { EntryEncoder } from '../../../message/entry-encoder.ts';
import type { EntryHeader } from '../../../oplog/entry-header.ts';
import type { ByteWriter } from '../../../shared/byte-writer.ts';
import type { CompressionBits } from '../client/compression.ts';
import { crc32cCombine } from '../client/crc32c-combine.ts';
import { crc32c } from '../client/crc32c.ts';
import { EntryHeadersWriter } from './record-headers.ts';
import { lengthWidth, writeVarint, writeVarlong } from '../client/varint.ts';

/** Who sends a batch, and its place in the partition's sequence: what the broker recognises repeats by. */
export interface BatchProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** What the header of a batch says besides who sends it. */
export interface BatchForm {
  readonly compression?: CompressionBits | undefined;
  readonly transactional?: boolean;
  readonly checksum?: number | undefined;
}

/** The fixed header of a record batch, magic 2 (Kafka protocol guide, "Record Batch"). */
export const BATCH_HEADER_BYTES = 61;
const BATCH_LENGTH_AT = 8;
const LEADER_EPOCH_AT = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const PRODUCER_EPOCH_AT = 51;
const BASE_SEQUENCE_AT = 53;
const COUNT_AT = 57;
const MAGIC = 2;
const TRANSACTIONAL_BIT = 0x10;
/** Length, attributes, timestamp delta, offset delta, key length, value length, header count at their widest. */
const RECORD_OVERHEAD_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 1;

/** One for all batches: it knows the headers of the entry before, whichever batch that went to. */
const entryHeaders = new EntryHeadersWriter();

/**
 * Writes one Kafka record batch (magic 2) into one buffer, record by record, with no object per record.
 *
 * A value is encoded in place. Its length and that of its record come before it as varints, so room for them is
 * left as wide as the last record's were; only when that was wrong are the bytes shifted. The header is written
 * by {@link finish}, again and again if a batch must be sent under another producer id.
 */
export class RecordBatchBuilder {
  readonly out: ByteWriter;
  readonly #withHeaders: boolean;
  /** Records so far. */
  count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  #lengthWidth = 2;
  #valueWidth = 2;

  /** Offsets of the last record, its value, the end of its value, and its own end behind its headers. */
  lastRecordAt = 0;
  lastValueAt = 0;
  lastValueEnd = 0;
  lastRecordEnd = 0;

  /**
   * @param out an empty writer over the chunk that the batch is built in
   * @param withHeaders give each record the headers of its entry
   */
  constructor(out: ByteWriter, withHeaders = false) {
    this.out = out;
    this.#withHeaders = withHeaders;
    out.ensure(BATCH_HEADER_BYTES);
    out.length = BATCH_HEADER_BYTES;
  }

  /** Size of the whole batch, uncompressed. */
  get length(): number {
    return this.out.length;
  }

  /** Time of the first record, milliseconds since 1970. */
  get baseTimestampMs(): number {
    return this.#baseTimestamp;
  }

  /** The records without the batch header: what compression packs. A view. */
  get records(): Buffer {
    return this.out.bytes.subarray(BATCH_HEADER_BYTES, this.out.length);
  }

  /**
   * Appends a record whose value `encoder` writes. Its time is that of the batch's beginning, not the entry's: brokers delete
   * records, and forget producers, by the records' times, so that entries of an old oplog would be gone at once.
   * @param key its bytes; undefined for a record without key
   * @throws what the encoder throws; the batch is then as it was
   */
  append(header: EntryHeader, encoder: EntryEncoder, key: ByteWriter | undefined): void {
    const bodyAt = this.#begin(this.count === 0 ? Date.now() : this.#baseTimestamp, key);
    const valueLengthAt = this.out.length;
    this.out.length += this.#valueWidth;
    try {
      encoder.encode(header, this.out);
    } catch (error) {
      this.out.length = this.lastRecordAt;
      throw error;
    }
    const valueEnd = this.out.length;
    if (this.#withHeaders) entryHeaders.write(this.out, header);
    this.#end(bodyAt, valueLengthAt, valueEnd);
  }

  /** Appends a record whose value is `source[start, end)`, and whose headers, with their number, are `source[end, headersEnd)`. */
  appendBytes(record: {
    timestampMs: number;
    key: ByteWriter | undefined;
    source: Buffer;
    start: number;
    end: number;
    headersEnd: number;
  }): void {
    const bodyAt = this.#begin(record.timestampMs, record.key);
    const valueLengthAt = this.out.length;
    this.out.length += this.#valueWidth;
    this.out.append(record.source, record.start, record.headersEnd);
    this.#end(bodyAt, valueLengthAt, this.out.length - (record.headersEnd - record.end));
  }

  /** Takes records that another builder has made, all of the same time. */
  adopt(records: { bytes: Buffer; length: number; count: number; timestampMs: number }): void {
    this.out.bytes = records.bytes;
    this.out.length = records.length;
    this.count = records.count;
    this.#baseTimestamp = this.#maxTimestamp = records.timestampMs;
  }

  /** Takes the last record away again; its bytes stay where they are until the next append. */
  dropLast(): void {
    this.count--;
    this.out.length = this.lastRecordAt;
  }

  /** Writes the start of a record; returns the offset of its body. */
  #begin(timestampMs: number, key: ByteWriter | undefined): number {
    const out = this.out;
    out.ensure(RECORD_OVERHEAD_MAX + (key?.length ?? 0));
    const bytes = out.bytes;
    if (this.count === 0) this.#baseTimestamp = this.#maxTimestamp = timestampMs;
    else if (timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs;
    this.lastRecordAt = out.length;
    const bodyAt = out.length + this.#lengthWidth;
    bytes[bodyAt] = 0;
    let at = writeVarlong(bytes, bodyAt + 1, timestampMs - this.#baseTimestamp);
    at = writeVarint(bytes, at, this.count);
    if (key === undefined) {
      at = writeVarint(bytes, at, -1);
    } else {
      at = writeVarint(bytes, at, key.length);
      key.bytes.copy(bytes, at, 0, key.length);
      at += key.length;
    }
    out.length = at;
    return bodyAt;
  }

  /** Writes the lengths, now known, and the count of headers when there are none. */
  #end(bodyAt: number, valueLengthAt: number, endOfValue: number): void {
    const out = this.out;
    out.ensure(RECORD_OVERHEAD_MAX);
    if (out.length === endOfValue) out.bytes[out.length++] = 0;
    const recordAt = this.lastRecordAt;
    const valueAt = valueLengthAt + this.#valueWidth;
    const valueLength = endOfValue - valueAt;
    const headersLength = out.length - endOfValue;
    const prefixLength = valueLengthAt - bodyAt;
    const valueWidth = lengthWidth(valueLength);
    const bodyLength = prefixLength + valueWidth + valueLength + headersLength;
    const recordWidth = lengthWidth(bodyLength);
    const newBodyAt = recordAt + recordWidth;
    const newValueAt = newBodyAt + prefixLength + valueWidth;
    const bytes = out.bytes;
    if (newValueAt !== valueAt || newBodyAt !== bodyAt) {
      // What moves to the right goes last-part first, so that nothing is overwritten before it has moved.
      if (newValueAt > valueAt) bytes.copyWithin(newValueAt, valueAt, out.length);
      bytes.copyWithin(newBodyAt, bodyAt, valueLengthAt);
      if (newValueAt < valueAt) bytes.copyWithin(newValueAt, valueAt, out.length);
      this.#lengthWidth = recordWidth;
      this.#valueWidth = valueWidth;
    }
    writeVarint(bytes, recordAt, bodyLength);
    writeVarint(bytes, newBodyAt + prefixLength, valueLength);
    this.lastValueAt = newValueAt;
    this.lastValueEnd = newValueAt + valueLength;
    this.lastRecordEnd = out.length = this.lastValueEnd + headersLength;
    this.count++;
  }

  /**
   * Writes the header over the first bytes of `batch`, which holds the records, packed or not, behind it.
   * @param batch `out.view()`, or a copy with packed records
   * @param form.checksum CRC-32C of what lies behind the header, when it is known
   */
  finish(batch: Buffer, producer: BatchProducer, form: BatchForm = {}): void {
    const { compression = 0, transactional = false, checksum } = form;
    batch.fill(0, 0, BATCH_LENGTH_AT);
    batch.writeInt32BE(batch.length - LEADER_EPOCH_AT, BATCH_LENGTH_AT);
    batch.writeInt32BE(-1, LEADER_EPOCH_AT);
    batch[MAGIC_AT] = MAGIC;
    batch.writeInt16BE(compression | (transactional ? TRANSACTIONAL_BIT : 0), ATTRIBUTES_AT);
    batch.writeInt32BE(this.count - 1, LAST_OFFSET_DELTA_AT);
    batch.writeBigInt64BE(BigInt(this.#baseTimestamp), BASE_TIMESTAMP_AT);
    batch.writeBigInt64BE(BigInt(this.#maxTimestamp), MAX_TIMESTAMP_AT);
    batch.writeBigInt64BE(producer.producerId, PRODUCER_ID_AT);
    batch.writeInt16BE(producer.producerEpoch, PRODUCER_EPOCH_AT);
    batch.writeInt32BE(producer.baseSequence, BASE_SEQUENCE_AT);
    batch.writeInt32BE(this.count, COUNT_AT);
    batch.writeUInt32BE(checksumOf(batch, checksum), CRC_AT);
  }
}

/** The checksum covers everything behind itself: the rest of the header, and the records. */
function checksumOf(batch: Buffer, records: number | undefined): number {
  if (records === undefined) return crc32c(batch.subarray(ATTRIBUTES_AT));
  const header = crc32c(batch.subarray(ATTRIBUTES_AT, BATCH_HEADER_BYTES));
  return crc32cCombine(header, records, batch.length - BATCH_HEADER_BYTES);
}
