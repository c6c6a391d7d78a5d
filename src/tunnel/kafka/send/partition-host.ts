import type { BatchPreparer } from './batch-preparer.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { RecordsCompressor } from '../client/compression.ts';
import type { PartitionWriter } from './partition-writer.ts';
import type { EntryPlace, PendingBatch } from './pending-batch.ts';

/** What all partitions share; changed when the broker turns out to take less than it said. */
export interface BatchLimits {
  /** A batch this long is sent without waiting for more. */
  targetBytes: number;
  /** The broker refuses a longer one. */
  readonly maxBytes: number;
}

/** The transactions that a partition's batches belong to. */
export interface BatchTransactions {
  /** Number of the transaction that takes what is appended now. */
  readonly filling: number;
  /** A record of so many bytes has been added to it. */
  appended(bytes: number): void;
  /** A batch of it is complete and has to be acknowledged before it can be committed. */
  sealed(): void;
  /** One of the batches of a transaction has become two. */
  divided(transaction: number): void;
  /** Whether batches of the partition in this transaction may be sent; if not, `ready` is called for it when they may. */
  admits(partition: PartitionWriter, transaction: number): boolean;
}

/** The tunnel, as its partitions see it. */
export interface PartitionHost {
  readonly pool: ChunkPool;
  readonly preparer: BatchPreparer;
  readonly limits: BatchLimits;
  readonly lanes: number;
  readonly compressor: RecordsCompressor | undefined;
  /** Each record gets the headers of its entry. */
  readonly withHeaders: boolean;
  /** undefined: each batch counts by itself. */
  readonly transactions: BatchTransactions | undefined;
  /** Notes that more (or, negative, less) memory is held. */
  hold(bytes: number): void;
  /** Something may be sent: now, or after the code that is running. */
  ready(partition: PartitionWriter, now: boolean): void;
  /** Called for each batch, in order, as it is acknowledged; its memory has been given back. */
  acknowledged(batch: PendingBatch): void;
  /** A single record of `bytes` is longer than the broker takes. */
  recordTooLarge(place: EntryPlace, bytes: number): void;
  fail(error: unknown): void;
}
