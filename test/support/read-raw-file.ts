import { crc32 } from 'node:zlib';

export interface RawBlock {
  readonly checksum: number;
  readonly tag: number;
  readonly shard: number;
  readonly compress: number;
  /** Each as it lies in the file: packed, when `compress` is not 0. */
  readonly logs: Buffer[];
}

/**
 * Reads a file of raw messages by the rules of MongoShake's receiver, and checks what it does not check: checksums.
 * `torn` is what follows the last whole block.
 */
export function readRawFile(bytes: Buffer): { blocks: RawBlock[]; torn: Buffer } {
  if (bytes.length < 32) return { blocks: [], torn: bytes };
  if (bytes.readBigUInt64BE(0) !== 0xeeeeeeeeee201314n)
    throw new Error('the magic number of the file is wrong');
  if (bytes.readUInt32BE(8) !== 1) throw new Error('the protocol of the file is wrong');
  const blocks: RawBlock[] = [];
  let at = 32;
  while (at + 24 <= bytes.length) {
    if (bytes.readUInt32BE(at + 16) !== 0xeeeeeeee) throw new Error(`no block begins at byte ${at}`);
    const bodyAt = at + 24;
    const end = bodyAt + bytes.readUInt32BE(at + 20);
    if (end > bytes.length) break;
    const logs = readLogs(bytes.subarray(bodyAt, end));
    const checksum = bytes.readUInt32BE(at);
    if (logs.reduce((sum, log) => sum ^ crc32(log), 0) >>> 0 !== checksum) {
      throw new Error(`the checksum of the block at byte ${at} is wrong`);
    }
    blocks.push({
      checksum,
      tag: bytes.readUInt32BE(at + 4),
      shard: bytes.readUInt32BE(at + 8),
      compress: bytes.readUInt32BE(at + 12),
      logs,
    });
    at = end;
  }
  return { blocks, torn: bytes.subarray(at) };
}

function readLogs(body: Buffer): Buffer[] {
  const logs: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const length = body.readUInt32BE(at);
    if (at + 4 + length > body.length) throw new Error('a log passes the end of its block');
    logs.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return logs;
}
