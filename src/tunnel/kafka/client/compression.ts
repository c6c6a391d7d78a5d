import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { AssertionError } from '../../../shared/errors.ts';
import { client } from './client.ts';

/** `tunnel.kafka.compression`. */
export type KafkaCompression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Bits 0-2 of a batch's attributes. */
export type CompressionBits = 0 | 1 | 2 | 3 | 4;

/** Packs the records of a batch. */
export interface RecordsCompressor {
  readonly bits: CompressionBits;
  /** @returns a buffer of its own, or a promise of one when the work is done off this thread */
  compress(records: Buffer): Uint8Array | Promise<Uint8Array>;
}

const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);

/** Level 1 is four times as fast as the default and loses a few percent on JSON. */
const GZIP_LEVEL = 1;

/** The compressor for a setting; undefined for `none`. Loads what it needs, once. */
export async function loadCompressor(compression: KafkaCompression): Promise<RecordsCompressor | undefined> {
  switch (compression) {
    case 'none':
      return undefined;
    case 'gzip':
      return { bits: 1, compress: (records) => gzip(records, { level: GZIP_LEVEL }) };
    case 'snappy':
      return { bits: 2, compress: (records) => client.compressionsAlgorithms.snappy.compressSync(records) };
    case 'lz4':
      return { bits: 3, compress: (records) => client.compressionsAlgorithms.lz4.compressSync(records) };
    case 'zstd':
      return { bits: 4, compress: await loadZstd() };
    default:
      throw new AssertionError(`no compression ${String(compression)}`);
  }
}

/** Node's own zstd, off this thread, since Node 22.15; WebAssembly before. */
async function loadZstd(): Promise<RecordsCompressor['compress']> {
  const zstdCompress: ZstdCompress | undefined = Reflect.get(zlib, 'zstdCompress');
  if (zstdCompress !== undefined) {
    return (records) =>
      new Promise((resolve, reject) => {
        zstdCompress(records, (error, packed) => {
          if (error === null) resolve(packed);
          else reject(error);
        });
      });
  }
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load();
  return (records) => zstd.compress(records, ZSTD_LEVEL);
}

/** zlib.zstdCompress, which this project's types, of Node 20, do not have. */
type ZstdCompress = (bytes: Buffer, done: (error: Error | null, packed: Buffer) => void) => void;

/** The fastest; still smaller than gzip. */
const ZSTD_LEVEL = 1;
