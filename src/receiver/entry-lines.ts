import { createEntryEncoder } from '../message/create-entry-encoder.ts';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { ByteWriter } from '../shared/byte-writer.ts';

const LINE_FEED = Buffer.from('\n');

/** Writes entries as relaxed Extended JSON, one line each. */
export class EntryLines {
  readonly #encoder = createEntryEncoder({ message: 'json', jsonFormat: 'relaxed_extended_json' });
  readonly #header = new EntryHeader();

  /** @returns a buffer of its own. @throws MalformedBsonError */
  encode(entries: readonly OplogEntry[]): Buffer {
    const out = new ByteWriter();
    for (const { bytes } of entries) {
      scanEntryHeader(this.#header, bytes, 0);
      this.#encoder.encode(this.#header, out);
      out.append(LINE_FEED);
    }
    return Buffer.from(out.view());
  }
}
