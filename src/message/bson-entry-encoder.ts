import type { EntryHeader } from '../oplog/entry-header.ts';
import type { ByteWriter } from '../shared/byte-writer.ts';
import type { EntryEncoder } from './entry-encoder.ts';

/** `tunnel.message = bson`: the entry as the server wrote it. */
export class BsonEntryEncoder implements EntryEncoder {
  encode(header: EntryHeader, out: ByteWriter): void {
    out.append(header.bytes, header.start, header.end);
  }
}
