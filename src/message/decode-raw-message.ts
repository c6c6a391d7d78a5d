import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { BsonType } from '../bson/bson-type.ts';
import { COMPRESSORS, type Compressor } from './compressor.ts';
import { Crc32Sum } from './crc32-sum.ts';
import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES, ReplyCode, type RawMessage } from './raw-message.ts';
import { RawMessageError } from './raw-message-error.ts';

/** Above MongoDB's largest document (16 MiB) and what an oplog entry adds to it. */
const LOG_BYTES_MAX = 18 * 1024 * 1024;
/** All logs of one message together, decompressed: above any batch that MongoShake sends. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Reads one raw message. Bytes after its last log are ignored, as MongoShake ignores them.
 * @param limits.logBytesMax longest log, decompressed, in bytes; by default 18 MiB.
 * @param limits.messageBytesMax all logs together, decompressed; by default 256 MiB.
 * @throws RawMessageError for a header that is too short, an unknown compressor, a wrong checksum, a log that
 *   does not decompress or is larger than the limits.
 */
export function decodeRawMessage(
  bytes: Buffer,
  limits: { logBytesMax?: number; messageBytesMax?: number } = {},
): RawMessage {
  const { logBytesMax = LOG_BYTES_MAX, messageBytesMax = MESSAGE_BYTES_MAX } = limits;
  if (bytes.length < RAW_HEADER_BYTES) {
    throw new RawMessageError(`${bytes.length} bytes are less than its header`, {
      replyCode: ReplyCode.error,
    });
  }
  const compressorId = bytes.readUInt32BE(12);
  const compressor = COMPRESSORS[compressorId];
  if (compressor === undefined) {
    throw new RawMessageError(`compressor ${compressorId} is not known`, {
      replyCode: ReplyCode.compressorNotSupported,
    });
  }
  const declaredLogs = bytes.readUInt32BE(16);
  const checksum = bytes.readUInt32BE(0);
  const wire = splitLogs(bytes, declaredLogs, logBytesMax);
  const incomplete = wire.length < declaredLogs;
  if (!incomplete && checksum !== 0) verifyChecksum(bytes, wire, checksum);
  return {
    checksum,
    tag: bytes.readUInt32BE(4),
    shard: bytes.readUInt32BE(8),
    compressor,
    declaredLogs,
    logs: decompressAll(wire, compressor, { logBytesMax, messageBytesMax }),
    incomplete,
  };
}

/** Whether a log has MongoShake's nested form `{parsedlog: {…}, …}`, which it writes for parts of transactions. */
export function isNestedLog(log: Buffer): boolean {
  return log[4] === BsonType.document && log.toString('latin1', 5, 15) === 'parsedlog\0';
}

/** The logs that are complete, as they are on the wire. */
function splitLogs(bytes: Buffer, declaredLogs: number, logBytesMax: number): Buffer[] {
  const logs: Buffer[] = [];
  let at = RAW_HEADER_BYTES;
  while (logs.length < declaredLogs && at + RAW_LENGTH_BYTES <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (length > logBytesMax) {
      throw new RawMessageError(`a log of ${length} bytes is above the limit of ${logBytesMax}`, {
        replyCode: ReplyCode.error,
      });
    }
    const start = at + RAW_LENGTH_BYTES;
    if (start + length > bytes.length) break;
    logs.push(bytes.subarray(start, start + length));
    at = start + length;
  }
  return logs;
}

const sum = new Crc32Sum();

/** @param logs views of `bytes` */
function verifyChecksum(bytes: Buffer, logs: readonly Buffer[], expected: number): void {
  for (const log of logs) {
    const start = log.byteOffset - bytes.byteOffset;
    sum.add(bytes, start, start + log.length);
  }
  const actual = sum.take();
  if (actual === expected) return;
  throw new RawMessageError(`its checksum is ${hex(actual)}, its header says ${hex(expected)}`, {
    replyCode: ReplyCode.checksumInvalid,
  });
}

function decompressAll(
  wire: Buffer[],
  compressor: Compressor,
  limits: { logBytesMax: number; messageBytesMax: number },
): Buffer[] {
  if (compressor === 'none' || compressor === 'snappy') return wire;
  let left = limits.messageBytesMax;
  return wire.map((log) => {
    const maxOutputLength = Math.max(1, Math.min(limits.logBytesMax, left));
    const whole = decompress(log, compressor, maxOutputLength);
    left -= whole.length;
    return whole;
  });
}

function decompress(log: Buffer, compressor: 'gzip' | 'zlib' | 'deflate', maxOutputLength: number): Buffer {
  try {
    if (compressor === 'gzip') return gunzipSync(log, { maxOutputLength });
    const inflate = compressor === 'zlib' ? inflateSync : inflateRawSync;
    return inflate(log, { maxOutputLength });
  } catch (cause) {
    throw new RawMessageError(`a log is not ${compressor} data of at most ${maxOutputLength} bytes`, {
      replyCode: ReplyCode.decompressInvalid,
      cause,
    });
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
