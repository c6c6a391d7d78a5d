import { assert } from '../../../shared/assert.ts';
import type { RecordForm } from './block-encoder.ts';
import type { KafkaCompression } from '../client/compression.ts';

/** What a thread is told at its start. */
export interface EncoderThreadData {
  readonly form: RecordForm;
  readonly compression: KafkaCompression;
  readonly failpoints: SharedArrayBuffer;
}

/** Entries to be encoded. Both buffers are handed over, and come back with the answer. */
export interface EncoderJob {
  readonly id: number;
  readonly block: ArrayBuffer;
  readonly blockBytes: number;
  /** The records are written into it, or into a larger one in its place. */
  readonly spare: ArrayBuffer;
  /** A longer batch is not packed: it has to be divided first. */
  readonly maxBytes: number;
}

/** The records of a job, behind room for the header of their batch. */
export interface EncodedRecords {
  readonly block: ArrayBuffer;
  readonly records: ArrayBuffer;
  /** Bytes used of `records`. */
  readonly bytes: number;
  readonly count: number;
  /** Of the first record; all have the same. */
  readonly timestampMs: number;
  /** The packed records behind room for the header; undefined when they are sent as they are. */
  readonly packed: ArrayBuffer | undefined;
  /** Of what is sent behind the header. */
  readonly checksum: number;
}

export type EncoderAnswer =
  | ({ readonly id: number } & EncodedRecords)
  | { readonly id: number; readonly failure: { readonly code: string; readonly message: string } };

/** The memory under a buffer that has it for itself, so that it can be handed to another thread. */
export function memoryOf(bytes: Buffer): ArrayBuffer {
  assert(bytes.buffer instanceof ArrayBuffer && bytes.byteOffset === 0, 'a buffer shares its memory');
  return bytes.buffer;
}
