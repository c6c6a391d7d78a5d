import type { EntryHeader } from '../oplog/entry-header.ts';
import type { ByteWriter } from '../shared/byte-writer.ts';

/** Turns one oplog entry into the value of one message. Stateless between entries; not re-entrant. */
export interface EntryEncoder {
  /**
   * Appends one message value for the entry whose header was scanned.
   * @throws MalformedBsonError; `out` may then hold a part of the value: the caller sets `length` back.
   */
  encode(header: EntryHeader, out: ByteWriter): void;
}
