import { createEntryEncoder, type EntryEncoderOptions } from '../../../message/create-entry-encoder.ts';
import { EntryHeader } from '../../../oplog/entry-header.ts';
import { DocumentKeyWriter } from './document-key-writer.ts';
import { eachEntry } from './entry-block.ts';
import type { RecordBatchBuilder } from './record-batch-builder.ts';

/** What the records of a tunnel look like; can be handed to another thread. */
export interface RecordForm extends EntryEncoderOptions {
  /** Each record has the key of its document. */
  readonly keyed: boolean;
  /** Each record has the headers of its entry. */
  readonly withHeaders: boolean;
}

/** Makes records of gathered entries. */
export class BlockEncoder {
  readonly #encoder;
  readonly #keys: DocumentKeyWriter | undefined;
  readonly #header = new EntryHeader();

  constructor(form: RecordForm) {
    this.#encoder = createEntryEncoder(form);
    this.#keys = form.keyed ? new DocumentKeyWriter() : undefined;
  }

  /** Appends a record for each entry of an `EntryBlock`'s bytes. @throws what the encoder throws */
  encode(block: Buffer, builder: RecordBatchBuilder): void {
    eachEntry(block, this.#header, (header) => {
      builder.append(header, this.#encoder, this.#keys?.write(header));
    });
  }
}
