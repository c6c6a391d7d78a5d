import { open, type FileHandle } from 'node:fs/promises';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { describeError } from '../shared/errors.ts';
import { EntryLines } from './entry-lines.ts';
import { ReplayerError } from './replayer-error.ts';
import type { Replayer } from './replayer.ts';

/** `replayer.module = file`: one line of JSON for each entry, at the end of a file; durable when `apply` resolves. */
export class FileReplayer implements Replayer {
  readonly #path: string;
  readonly #lines = new EntryLines();
  #opening: Promise<FileHandle> | undefined;
  /** Writes of several replayers, one after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<void> {
    this.#opening ??= open(this.#path, 'a', 0o640);
    try {
      await this.#opening;
    } catch (cause) {
      throw new ReplayerError({
        code: 'REPLAYER_OPEN',
        message: `replayer.output ${this.#path} cannot be written: ${describeError(cause)}`,
        hint: 'give the path of a file that the receiver may write',
        cause,
      });
    }
  }

  apply(entries: readonly OplogEntry[]): Promise<void> {
    const text = this.#lines.encode(entries);
    const write = this.#append(this.#last, text);
    this.#last = write.catch(() => {});
    return write;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await this.#last;
    await (await opening)?.close();
  }

  async #append(before: Promise<void>, text: Buffer): Promise<void> {
    await before;
    const file = await this.#opening;
    await file?.appendFile(text);
    await file?.datasync();
  }
}
