import { ByteWriter } from '../../../shared/byte-writer.ts';
import type { EntryPlace, PendingBatch } from './pending-batch.ts';
import { BATCH_HEADER_BYTES } from './record-batch-builder.ts';

/**
 * Makes two batches of one, for a broker that takes less than it said. Receipts go to the second half; record bytes
 * of lanes are divided as the lengths are, exactly in sum.
 * @param make a new empty batch with a chunk of at least so many bytes
 */
export function splitBatch(
  batch: PendingBatch,
  make: (first: EntryPlace, bytes: number) => PendingBatch,
): [PendingBatch, PendingBatch] {
  const { builder } = batch;
  const records = builder.records;
  const halves: [PendingBatch, PendingBatch] = [make(batch, builder.length), make(batch, builder.length)];
  const reader = new RecordReader(records, builder.baseTimestampMs);
  for (let i = 0; i < builder.count; i++) {
    reader.next();
    halves[i < builder.count / 2 ? 0 : 1].builder.appendBytes(reader);
  }
  const [first, second] = halves;
  const share = (first.builder.length - BATCH_HEADER_BYTES) / records.length;
  for (let lane = 0; lane < batch.laneBytes.length; lane++) {
    first.laneBytes[lane] = Math.floor(batch.laneBytes[lane] * share);
    second.laneBytes[lane] = batch.laneBytes[lane] - first.laneBytes[lane];
  }
  second.receipts.push(...batch.receipts);
  return halves;
}

/** Walks over the records of a batch that we have built: lengths are known to be right. */
class RecordReader {
  readonly source: Buffer;
  timestampMs = 0;
  key: ByteWriter | undefined;
  start = 0;
  end = 0;
  headersEnd = 0;
  readonly #baseTimestampMs: number;
  readonly #key = new ByteWriter(64);
  #at = 0;

  constructor(source: Buffer, baseTimestampMs: number) {
    this.source = source;
    this.#baseTimestampMs = baseTimestampMs;
  }

  next(): void {
    const length = this.#varlong();
    this.headersEnd = this.#at + length;
    this.#at += ATTRIBUTES_BYTES;
    this.timestampMs = this.#baseTimestampMs + this.#varlong();
    this.#varlong();
    const keyLength = this.#varlong();
    this.key = undefined;
    if (keyLength >= 0) {
      this.key = this.#key;
      this.#key.length = 0;
      this.#key.append(this.source, this.#at, this.#at + keyLength);
      this.#at += keyLength;
    }
    const valueLength = this.#varlong();
    this.start = this.#at;
    this.end = this.start + valueLength;
    this.#at = this.headersEnd;
  }

  /** A zigzag varint; exact up to 2^53. */
  #varlong(): number {
    let unsigned = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.source[this.#at++];
      unsigned += (byte & 0x7f) * unit;
      if (byte < 0x80) break;
    }
    return unsigned % 2 === 0 ? unsigned / 2 : -(unsigned + 1) / 2;
  }
}

const ATTRIBUTES_BYTES = 1;
