import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

/** Compressors of raw messages by their id on the wire; MongoShake's snappy leaves the bytes as they are. */
export const COMPRESSORS = ['none', 'gzip', 'snappy', 'zlib', 'deflate'] as const;

export type Compressor = (typeof COMPRESSORS)[number];

const LEVEL = { level: 9 };

/** A log compressed on its own; undefined when the compressor leaves its bytes as they are. */
export function compressLog(
  compressor: Compressor,
  bytes: Buffer,
  start: number,
  end: number,
): Buffer | undefined {
  switch (compressor) {
    case 'gzip':
      return gzipSync(bytes.subarray(start, end), LEVEL);
    case 'zlib':
      return deflateSync(bytes.subarray(start, end), LEVEL);
    case 'deflate':
      return deflateRawSync(bytes.subarray(start, end), LEVEL);
    default:
      return undefined;
  }
}
