import { crc32 } from 'node:zlib';
import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { EncodesEntry, FileFormat } from './file-format.ts';

/** Packs one log by itself, as MongoShake does; `id` tells the reader how. */
export interface LogCompressor {
  readonly id: number;
  compress(log: Buffer): Uint8Array;
}

const FILE_MAGIC = Buffer.from('eeeeeeeeee201314', 'hex');
const PROTOCOL = 1;
const FILE_HEADER_BYTES = 32;

/** The bits "persistent" and "storage backend" of MongoShake's tags. */
const TAG = 0x11000;
const BLOCK_MAGIC = 0xeeeeeeee;
const BLOCK_HEADER_BYTES = 24;

/**
 * MongoShake's file of raw messages, all numbers big-endian. The file begins with 32 bytes: the magic number, the
 * protocol, a checksum that nobody sets, zeros. Each block is 24 bytes of header (checksum, tag, shard,
 * compressor, magic number, length of the body in bytes) and a body of logs, each a length and its bytes. The
 * checksum is the exclusive or of the CRC-32 of every log as it lies in the file.
 */
export class RawFileFormat implements FileFormat {
  readonly fileHeader = makeFileHeader();
  readonly #encoder: EncodesEntry;
  readonly #lane: number;
  readonly #compressor: LogCompressor | undefined;
  #blockAt = 0;
  #checksum = 0;

  constructor(options: { encoder: EncodesEntry; lane: number; compressor?: LogCompressor | undefined }) {
    this.#encoder = options.encoder;
    this.#lane = options.lane;
    this.#compressor = options.compressor;
  }

  begin(out: ByteWriter): void {
    out.ensure(BLOCK_HEADER_BYTES);
    this.#blockAt = out.length;
    this.#checksum = 0;
    out.length += BLOCK_HEADER_BYTES;
  }

  append(header: EntryHeader, out: ByteWriter): void {
    out.ensure(4);
    const lengthAt = out.length;
    const logAt = lengthAt + 4;
    out.length = logAt;
    this.#encoder.encode(header, out);
    if (this.#compressor !== undefined) {
      const packed = this.#compressor.compress(out.bytes.subarray(logAt, out.length));
      out.length = logAt;
      out.append(packed);
    }
    out.bytes.writeUInt32BE(out.length - logAt, lengthAt);
    this.#checksum ^= crc32(out.bytes.subarray(logAt, out.length));
  }

  end(out: ByteWriter): void {
    const { bytes } = out;
    let at = bytes.writeUInt32BE(this.#checksum >>> 0, this.#blockAt);
    at = bytes.writeUInt32BE(TAG, at);
    at = bytes.writeUInt32BE(this.#lane, at);
    at = bytes.writeUInt32BE(this.#compressor?.id ?? 0, at);
    at = bytes.writeUInt32BE(BLOCK_MAGIC, at);
    bytes.writeUInt32BE(out.length - at - 4, at);
  }
}

function makeFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  FILE_MAGIC.copy(header);
  header.writeUInt32BE(PROTOCOL, FILE_MAGIC.length);
  return header;
}
