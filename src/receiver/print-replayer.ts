import type { Writable } from 'node:stream';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { EntryLines } from './entry-lines.ts';
import type { Replayer } from './replayer.ts';

/** `replayer.module = print`: one line of JSON for each entry, on standard output. */
export class PrintReplayer implements Replayer {
  readonly #lines = new EntryLines();
  readonly #out: Writable;

  constructor(out: Writable = process.stdout) {
    this.#out = out;
  }

  /** Resolves when the lines have left the process. */
  apply(entries: readonly OplogEntry[]): Promise<void> {
    const text = this.#lines.encode(entries);
    return new Promise((resolve, reject) => {
      this.#out.write(text, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
}
