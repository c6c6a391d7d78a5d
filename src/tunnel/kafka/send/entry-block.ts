import { readInt32, readUint32 } from '../../../bson/read-value.ts';
import { scanEntryHeader, type EntryHeader } from '../../../oplog/entry-header.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';

/** Before each entry: what its bytes do not say, the index in its transaction and the increment of the commit. */
const PREFIX_BYTES = 8;

/**
 * Entries that wait to be encoded, one behind the other as the server wrote them, in one buffer that can be handed to another thread.
 * This is the one copy that encoding in threads costs.
 */
export class EntryBlock {
  /** Entries so far. */
  count = 0;
  readonly #out = new ByteWriter(0);

  /** @param chunk what it is written into; a larger one takes its place when it is full */
  constructor(chunk: Buffer) {
    this.#out.bytes = chunk;
  }

  /** The buffer that it is written into. */
  get chunk(): Buffer {
    return this.#out.bytes;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#out.length;
  }

  /** What has been written; valid until the next {@link append}. */
  view(): Buffer {
    return this.#out.view();
  }

  /** Adds a copy of the entry. @returns the bytes that it takes */
  append(header: EntryHeader): number {
    const out = this.#out;
    const before = out.length;
    out.ensure(PREFIX_BYTES + header.length);
    out.bytes.writeUInt32LE(header.operationIndex, before);
    out.bytes.writeUInt32LE(header.committedIncrement, before + 4);
    out.length += PREFIX_BYTES;
    out.append(header.bytes, header.start, header.end);
    this.count++;
    return out.length - before;
  }
}

/** Calls `each` for the entries of a block's bytes, in their order, with `header` set to it. */
export function eachEntry(block: Buffer, header: EntryHeader, each: (header: EntryHeader) => void): void {
  for (let at = 0; at < block.length;) {
    const end = scanEntryHeader(header, block, at + PREFIX_BYTES);
    header.operationIndex = readInt32(block, at);
    header.committedIncrement = readUint32(block, at + 4);
    each(header);
    at = end;
  }
}
