import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { client } from './client.ts';
import { unpackZstd } from './unpack-zstd.ts';

/** Longest that the records of one batch may become: far above what any producer packs into a batch. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
/** How Java producers begin snappy: the format of snappy-java, which has blocks. */
const XERIAL_MAGIC = Buffer.from('82534e4150505900', 'hex');
const XERIAL_BLOCKS_AT = 16;

const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip);

/**
 * Unpacks the records of a batch.
 * @param bits compression of the batch's attributes: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @throws Error when they are damaged
 */
export async function unpackRecords(bits: number, packed: Buffer): Promise<Buffer> {
  switch (bits) {
    case 0:
      return packed;
    case 1:
      return gunzip(packed, { maxOutputLength: UNPACKED_BYTES_MAX });
    case 2:
      return unpackSnappy(packed);
    case 3:
      return client.compressionsAlgorithms.lz4.decompressSync(packed);
    case 4:
      return unpackZstd(packed, UNPACKED_BYTES_MAX);
    default:
      throw new Error(`Compression ${bits} is not known`);
  }
}

function unpackSnappy(packed: Buffer): Buffer {
  const { decompressSync } = client.compressionsAlgorithms.snappy;
  if (!packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return decompressSync(packed);
  const blocks: Buffer[] = [];
  for (let at = XERIAL_BLOCKS_AT; at < packed.length;) {
    const start = at + 4;
    at = start + packed.readInt32BE(at);
    if (at < start || at > packed.length) throw new Error('A block of snappy is longer than its batch');
    blocks.push(decompressSync(packed.subarray(start, at)));
  }
  return Buffer.concat(blocks);
}
