import type { EntryEncoder } from '../../message/entry-encoder.ts';
import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';

/**
 * How the entries of one lane lie in a file: as blocks, each written whole or not at all. One instance per lane;
 * a block is begun, given its entries and ended before the next one begins.
 */
export interface FileFormat {
  /** What every file begins with. */
  readonly fileHeader: Buffer;
  begin(out: ByteWriter): void;
  append(header: EntryHeader, out: ByteWriter): void;
  end(out: ByteWriter): void;
}

/** Messages one after the other: JSON text with a line feed after each, or BSON documents with nothing between. */
export class SequenceFormat implements FileFormat {
  readonly fileHeader = Buffer.alloc(0);
  readonly #encoder: EntryEncoder;
  readonly #separator: Buffer;

  constructor(encoder: EntryEncoder, separator: '' | '\n') {
    this.#encoder = encoder;
    this.#separator = Buffer.from(separator);
  }

  begin(): void {}

  append(header: EntryHeader, out: ByteWriter): void {
    this.#encoder.encode(header, out);
    if (this.#separator.length > 0) out.append(this.#separator);
  }

  end(): void {}
}
