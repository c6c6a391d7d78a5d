import type { Compressor } from './compressor.ts';

/** Bits of a raw message's tag. */
export const RawTag = {
  normal: 0x0,
  /** Sent again because the receiver asked for it. */
  retransmission: 0x1,
  /** Without logs: asks for the receiver's ack. */
  probe: 0x10,
  /** Set by tcp and rpc. */
  resident: 0x100,
  /** Set by kafka and file. */
  persistent: 0x1000,
  /** Set by file. */
  storageBackend: 0x1_0000,
} as const;

/** What a receiver answers; 0 and more are ack positions. */
export const ReplyCode = {
  error: -1,
  networkOperationFailed: -2,
  networkTimeout: -3,
  retransmission: -4,
  serverFault: -5,
  checksumInvalid: -6,
  compressorNotSupported: -7,
  decompressInvalid: -8,
} as const;

/** Checksum, tag, shard, compressor, number of logs: 32 bits each, big endian. */
export const RAW_HEADER_BYTES = 20;
/** Each log is preceded by its length: 32 bits, big endian. */
export const RAW_LENGTH_BYTES = 4;

/** MongoShake's TMessage: a batch of logs for one worker. */
export interface RawMessage {
  /** XOR of the CRC-32 of each log as it is on the wire; 0: unchecked. */
  readonly checksum: number;
  readonly tag: number;
  /** Worker that sent it. */
  readonly shard: number;
  readonly compressor: Compressor;
  /** How many logs the header says there are. */
  readonly declaredLogs: number;
  /** The logs, decompressed. Views of the message where nothing had to be decompressed. */
  readonly logs: Buffer[];
  /**
   * The record ends before its last log is complete, so neither its checksum nor its last logs are there. A
   * MongoShake collector sends such prefixes of every batch to Kafka before the whole one.
   */
  readonly incomplete: boolean;
}
