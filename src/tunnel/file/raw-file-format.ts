import type { Compressor } from '../../message/compressor.ts';
import { RAW_HEADER_BYTES, RawTag } from '../../message/raw-message.ts';
import { RawMessageWriter } from '../../message/raw-message-writer.ts';
import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { FileFormat } from './file-format.ts';

/** What a file of raw messages begins with. */
export const FILE_MAGIC = Buffer.from('eeeeeeeeee201314', 'hex');
const PROTOCOL = 1;
export const FILE_HEADER_BYTES = 32;

const TAG = RawTag.persistent | RawTag.storageBackend;
export const BLOCK_MAGIC = 0xeeeeeeee;
export const BLOCK_HEADER_BYTES = 24;
/** Checksum, tag, shard and compressor: the same in a raw message and in a block. */
const SHARED_HEADER_BYTES = 16;

/**
 * MongoShake's file of raw messages, all numbers big-endian. The file begins with 32 bytes: the magic number, the
 * protocol, a checksum that nobody sets, zeros. Each block is a raw message whose header ends otherwise: where a
 * message says how many logs it has, a block has a magic number and the length of its body in bytes.
 */
export class RawFileFormat implements FileFormat {
  readonly fileHeader = makeFileHeader();
  readonly #writer: RawMessageWriter;
  readonly #lane: number;
  #blockAt = 0;

  constructor(options: { lane: number; compressor: Compressor }) {
    this.#writer = new RawMessageWriter(options);
    this.#lane = options.lane;
  }

  begin(out: ByteWriter): void {
    const spare = BLOCK_HEADER_BYTES - RAW_HEADER_BYTES;
    this.#blockAt = out.length;
    out.ensure(spare);
    out.length += spare;
    this.#writer.begin(out, { tag: TAG, shard: this.#lane });
  }

  append(header: EntryHeader): void {
    this.#writer.append(header.bytes, header.start, header.end);
  }

  end(out: ByteWriter): void {
    this.#writer.finish();
    const { bytes } = out;
    const bodyAt = this.#blockAt + BLOCK_HEADER_BYTES;
    const messageAt = bodyAt - RAW_HEADER_BYTES;
    bytes.copyWithin(this.#blockAt, messageAt, messageAt + SHARED_HEADER_BYTES);
    bytes.writeUInt32BE(BLOCK_MAGIC, this.#blockAt + SHARED_HEADER_BYTES);
    bytes.writeUInt32BE(out.length - bodyAt, bodyAt - 4);
  }
}

function makeFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  FILE_MAGIC.copy(header);
  header.writeUInt32BE(PROTOCOL, FILE_MAGIC.length);
  return header;
}
