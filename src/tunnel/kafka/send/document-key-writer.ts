import { writeCanonicalValue } from '../../../bson/write-canonical-value.ts';
import type { EntryHeader } from '../../../oplog/entry-header.ts';
import { findDocumentId } from '../../../oplog/key-hash.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';

const PREFIX = Buffer.from('{"_id":');
const CLOSING_BRACE = 0x7d;

/** Writes the key of a record: the document key of its entry as `{"_id":<canonical Extended JSON>}`. */
export class DocumentKeyWriter {
  readonly #out = new ByteWriter(256);

  /** The key, valid until the next call; undefined when the entry is about no single document (DDL). */
  write(header: EntryHeader): ByteWriter | undefined {
    if (!findDocumentId(header)) return undefined;
    const out = this.#out;
    out.length = 0;
    out.append(PREFIX);
    writeCanonicalValue(header.bytes, header.idType, header.idAt, out);
    out.ensure(1);
    out.bytes[out.length++] = CLOSING_BRACE;
    return out;
  }
}
