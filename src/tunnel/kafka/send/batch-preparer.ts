import type { BlockEncoder } from './block-encoder.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { RecordsCompressor } from '../client/compression.ts';
import type { EncodedRecords } from './encoder-job.ts';
import type { EncoderThreads } from './encoder-threads.ts';
import type { EntryBlock } from './entry-block.ts';
import type { PendingBatch } from './pending-batch.ts';
import { BATCH_HEADER_BYTES } from './record-batch-builder.ts';

/** Encoding in threads: the threads, and an encoder for what is too little for them. */
export interface ThreadedEncoding {
  readonly threads: EncoderThreads;
  readonly blocks: BlockEncoder;
  /** Less than so many bytes of entries are encoded here; default 32 KiB. */
  readonly threadBytesMin?: number | undefined;
}

export interface BatchPreparerOptions {
  readonly pool: ChunkPool;
  readonly compressor: RecordsCompressor | undefined;
  /** undefined: records are encoded as they are appended. */
  readonly encoding: ThreadedEncoding | undefined;
  /** A longer batch has to be divided before it is packed. */
  readonly limits: { readonly maxBytes: number };
  /** Notes that more (or, negative, less) memory is held. */
  readonly hold: (bytes: number) => void;
  readonly fail: (error: unknown) => void;
}

/** Handing less to a thread and back takes longer than encoding it here. */
const THREAD_BYTES_MIN = 32 * 1024;
/** First guess of how much longer records are than entries; the truth is learnt from each batch. */
const EXPANSION_FIRST = 2;
/** Room for a batch that turns out longer than the last ones. */
const SPARE_ROOM = 1.25;

/** Makes of a complete batch all that goes to the broker but the header: has its entries encoded, and its records packed. */
export class BatchPreparer {
  readonly #options: BatchPreparerOptions;
  #expansion = EXPANSION_FIRST;

  constructor(options: BatchPreparerOptions) {
    this.#options = options;
  }

  /** Whether batches gather entries, to be encoded when they are complete. */
  get gathers(): boolean {
    return this.#options.encoding !== undefined;
  }

  /** Bytes of the batch, unpacked; an estimate as long as its entries are not encoded. */
  lengthOf({ block, builder }: PendingBatch): number {
    return block === undefined ? builder.length : block.length * this.#expansion;
  }

  /** Notes how much memory the batch holds. */
  setHeld(batch: PendingBatch, bytes: number): void {
    this.#options.hold(bytes - batch.heldBytes);
    batch.heldBytes = bytes;
  }

  /** Gives the batch's memory back. */
  release(batch: PendingBatch): void {
    this.#options.pool.give(batch.chunk);
    this.setHeld(batch, 0);
    batch.wire = batch.packed = undefined;
  }

  /** Calls `done` at once or later, if the batch has not been given up meanwhile. */
  prepare(batch: PendingBatch, done: (batch: PendingBatch) => void): void {
    const { block } = batch;
    const { encoding } = this.#options;
    if (block === undefined || encoding === undefined) this.#pack(batch, done);
    else if (block.length < (encoding.threadBytesMin ?? THREAD_BYTES_MIN))
      this.#encodeHere(batch, { block, ...encoding, done });
    else this.#encodeInThread(batch, { block, ...encoding, done });
  }

  #encodeHere(batch: PendingBatch, { block, blocks, done }: Encoding): void {
    const { builder } = batch;
    builder.out.bytes = this.#spareFor(block);
    try {
      blocks.encode(block.view(), builder);
    } catch (error) {
      this.#options.fail(error);
      return;
    }
    this.#encoded(batch, block.chunk);
    this.#pack(batch, done);
  }

  #encodeInThread(batch: PendingBatch, { block, threads, done }: Encoding): void {
    const spare = this.#spareFor(block);
    this.setHeld(batch, block.chunk.length + spare.length);
    const { maxBytes } = this.#options.limits;
    threads.encode(block, { spare, maxBytes }, (encoded) => {
      if (batch.heldBytes === 0) return;
      adopt(batch, encoded);
      this.#encoded(batch, Buffer.from(encoded.block));
      done(batch);
    });
  }

  #spareFor(block: EntryBlock): Buffer {
    return this.#options.pool.take(BATCH_HEADER_BYTES + block.length * this.#expansion * SPARE_ROOM);
  }

  /** The records are in the builder: nobody needs the entries any more. */
  #encoded(batch: PendingBatch, block: Buffer): void {
    const { builder, packed } = batch;
    const expansion = builder.length / (batch.block?.length ?? builder.length);
    this.#expansion += (expansion - this.#expansion) / 4;
    this.#options.pool.give(block);
    batch.block = undefined;
    batch.chunk = builder.out.bytes;
    this.setHeld(batch, batch.chunk.length + (packed?.length ?? 0));
  }

  #pack(batch: PendingBatch, done: (batch: PendingBatch) => void): void {
    const { compressor, fail } = this.#options;
    if (compressor === undefined) {
      done(batch);
      return;
    }
    const packed = compressor.compress(batch.builder.records);
    if (packed instanceof Promise) packed.then((records) => this.#packed(batch, records, done)).catch(fail);
    else this.#packed(batch, packed, done);
  }

  #packed(batch: PendingBatch, records: Uint8Array, done: (batch: PendingBatch) => void): void {
    if (batch.heldBytes === 0) return;
    const length = BATCH_HEADER_BYTES + records.length;
    if (length < batch.builder.length) {
      batch.packed = Buffer.allocUnsafeSlow(length);
      batch.packed.set(records, BATCH_HEADER_BYTES);
      this.setHeld(batch, batch.chunk.length + length);
    }
    done(batch);
  }
}

interface Encoding extends ThreadedEncoding {
  readonly block: EntryBlock;
  readonly done: (batch: PendingBatch) => void;
}

function adopt(batch: PendingBatch, encoded: EncodedRecords): void {
  const { records, bytes: length, count, timestampMs, packed, checksum } = encoded;
  batch.builder.adopt({ bytes: Buffer.from(records), length, count, timestampMs });
  batch.packed = packed && Buffer.from(packed);
  batch.checksum = checksum;
}
