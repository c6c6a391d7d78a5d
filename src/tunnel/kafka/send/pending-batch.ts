import { must } from '../../../shared/assert.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { EntryBlock } from './entry-block.ts';
import { RecordBatchBuilder } from './record-batch-builder.ts';

/** Where an entry comes from, for error messages. */
export interface EntryPlace {
  readonly ns: string;
  readonly seconds: number;
  readonly increment: number;
}

/** One `flush` of a lane; due when every batch that it waits for is durable. */
export interface Receipt {
  /** Batches that still have to become durable. */
  waitsFor: number;
  readonly onDurable: () => void;
  /** Gives the receipts of the lane that are due, in their order. */
  readonly settle: () => void;
}

/** A batch from its first record until the broker has acknowledged it. */
export class PendingBatch implements EntryPlace {
  /** Its records, once they are encoded. */
  readonly builder: RecordBatchBuilder;
  /** Entries that have still to be encoded; undefined: the builder has all. */
  block: EntryBlock | undefined;
  /** The buffer it is built in; may be replaced by a larger one. */
  chunk: Buffer;
  /** Bytes of memory it holds; 0: it has been given up. */
  heldBytes: number;
  /** Record bytes by lane. */
  readonly laneBytes: Float64Array;
  readonly receipts: Receipt[] = [];
  /** Its first entry, for error messages. */
  readonly ns: string;
  readonly seconds: number;
  readonly increment: number;
  /** Send it as soon as the broker has a free slot, even if there is room for more. */
  flushRequested = false;
  /** The packed records behind room for the header; undefined when they are sent as they are. */
  packed: Buffer | undefined;
  /** Checksum of what is sent behind the header, when it is known already. */
  checksum: number | undefined;
  /** The finished batch, as it goes to the broker; undefined before. */
  wire: Buffer | undefined;
  /** Length of {@link wire}, also after it has been given back. */
  sentBytes = 0;
  baseSequence = 0;
  /** Number of the transaction that it belongs to. */
  transaction = 0;
  acknowledged = false;

  /** {@link wire} of a batch that is finished. */
  get wireBytes(): Buffer {
    return must(this.wire, 'a batch was sent before it was finished');
  }

  /** How many records it has, or will have when they are encoded. */
  get count(): number {
    return this.block?.count ?? this.builder.count;
  }

  /** @param options.gathers take entries in a block instead of encoding them at once */
  constructor(
    first: EntryPlace,
    chunk: Buffer,
    options: { lanes: number; withHeaders: boolean; gathers?: boolean },
  ) {
    const out = new ByteWriter(0);
    if (options.gathers === true) this.block = new EntryBlock(chunk);
    else out.bytes = chunk;
    this.builder = new RecordBatchBuilder(out, options.withHeaders);
    this.chunk = chunk;
    this.heldBytes = chunk.length;
    this.laneBytes = new Float64Array(options.lanes);
    this.ns = first.ns;
    this.seconds = first.seconds;
    this.increment = first.increment;
  }
}
