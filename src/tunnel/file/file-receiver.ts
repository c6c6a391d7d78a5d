import { open, type FileHandle } from 'node:fs/promises';
import type { MessageForm } from '../../message/message-form-of.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { sleep } from '../../shared/sleep.ts';
import { DoneInOrder } from '../done-in-order.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';
import { formOfFile, splitFile, type FileUnits } from './file-units.ts';
import { codeOf } from './numbered-file.ts';
import { listParts, partPath } from './numbered-parts.ts';
import { loadReadPosition, saveReadPosition } from './read-position.ts';

export interface FileReceiverOptions {
  /** The file that the collector writes, without a number. */
  readonly path: string;
  /** The file that remembers how far it has been read. */
  readonly positionPath: string;
  readonly message: 'auto' | MessageForm;
  readonly logger: Logger;
}

const CHUNK_BYTES = 1024 * 1024;
const POLL_MS = 200;
const SAVE_MS = 1000;
const TAIL_BYTES = 32;
const HEAD_BYTES = 8;
const NOTHING = Buffer.alloc(0);

interface Place {
  readonly part: number;
  readonly offset: number;
}

/**
 * Follows a file of the file tunnel and its numbered parts as they grow, from where it left off: what was handed over and is done
 * is remembered in a file of its own. A torn end, which a collector that was killed leaves behind, is passed over once the next part
 * has begun. A file that has become shorter (MongoShake empties it at each start) is read from its beginning.
 */
export class FileReceiver implements MessageReader {
  readonly #o: FileReceiverOptions;
  readonly #closed = new AbortController();
  readonly #failed = new AbortController();
  #following: Promise<void> | undefined;
  #done = new DoneInOrder<Place>({ part: 0, offset: 0 });
  #saved: Place | undefined;
  #savedAt = 0;
  #trouble: string | undefined;
  #bytes = 0;
  #messages = 0;
  #refused = 0;

  constructor(options: FileReceiverOptions) {
    this.#o = options;
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  get traffic(): ReaderTraffic {
    return { bytes: this.#bytes, messages: this.#messages, refused: this.#refused, connections: 0 };
  }

  /** @throws FileTunnelError when the saved position cannot be read */
  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const start = await this.#start();
    this.#done = new DoneInOrder(start);
    this.#saved = start;
    this.#following = this.#follow(handler, start).catch((error: unknown) => {
      if (!this.#closed.signal.aborted) this.#failed.abort(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#following;
    await this.#save();
  }

  async #start(): Promise<Place> {
    const { path, positionPath, logger } = this.#o;
    const saved = await loadReadPosition(positionPath);
    if (saved === undefined) return { part: 0, offset: 0 };
    if ((await this.#tailAt(saved)) === saved.tail) return saved;
    const name = partPath(path, saved.part);
    logger.warn(
      `${name} is not the file that was read to byte ${saved.offset}: it is read from its beginning`,
    );
    return { part: saved.part, offset: 0 };
  }

  async #follow(handler: MessageHandler, start: Place): Promise<void> {
    let { part, offset } = start;
    while (!this.#closed.signal.aborted) {
      const file = await this.#openPart(part);
      if (file === undefined) {
        part = await this.#nextPart(part - 1);
        continue;
      }
      try {
        await this.#followPart(handler, file, { part, offset });
      } finally {
        await file.close();
      }
      part = await this.#nextPart(part);
      offset = 0;
    }
  }

  /** Waits for the first part after this one. */
  async #nextPart(after: number): Promise<number> {
    for (;;) {
      const next = await this.#partAfter(after);
      if (next !== undefined || this.#closed.signal.aborted) return next ?? after;
      await this.#pause();
    }
  }

  async #partAfter(part: number): Promise<number | undefined> {
    try {
      const next = (await listParts(this.#o.path)).find((number) => number > part);
      if (next !== undefined) this.#trouble = undefined;
      else if (part < 0) this.#trouble = `there is no ${this.#o.path} yet`;
      return next;
    } catch (error) {
      this.#trouble = `${this.#o.path} cannot be looked for: ${describeError(error)}`;
      return undefined;
    }
  }

  async #openPart(part: number): Promise<FileHandle | undefined> {
    try {
      return await open(partPath(this.#o.path, part), 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Hands over what is in a part and what is written to it, until there is a next one. */
  async #followPart(handler: MessageHandler, file: FileHandle, place: Place): Promise<void> {
    const { part } = place;
    let { offset } = place;
    let form = this.#o.message === 'auto' ? undefined : this.#o.message;
    let wanted = CHUNK_BYTES;
    let isLast = true;
    while (!this.#closed.signal.aborted) {
      const { size } = await file.stat();
      if (size < offset) offset = this.#rewound(part, size);
      form ??= formOfFile(await readAt(file, 0, Math.min(HEAD_BYTES, size)));
      const bytes =
        form === undefined ? NOTHING : await readAt(file, offset, Math.min(wanted, size - offset));
      const found = form === undefined ? undefined : this.#split(form, bytes, { part, offset });
      if (found !== undefined && form !== undefined && found.consumed > 0) {
        await this.#handOver(handler, found, { form, part, offset });
        offset += found.consumed;
        wanted = CHUNK_BYTES;
        continue;
      }
      if (found !== undefined && bytes.length === wanted && found.needed > wanted) {
        wanted = Math.max(found.needed, wanted * 2);
        continue;
      }
      // Looked at once more after the next part has appeared: then it grows no more.
      if (!isLast) return this.#leave(part, offset, bytes.length);
      isLast = (await this.#partAfter(part)) === undefined;
      if (isLast) await this.#pause();
    }
  }

  #split(form: MessageForm, bytes: Buffer, { part, offset }: Place): FileUnits {
    try {
      return splitFile(form, bytes, offset === 0);
    } catch (error) {
      this.#trouble = `${partPath(this.#o.path, part)} cannot be read at byte ${offset}`;
      throw error;
    }
  }

  async #handOver(
    handler: MessageHandler,
    { units, consumed }: FileUnits,
    { form, part, offset }: Place & { form: MessageForm },
  ): Promise<void> {
    const name = partPath(this.#o.path, part);
    for (const { bytes, shard, tag, end } of units) {
      if (this.#closed.signal.aborted) return;
      this.#bytes += bytes.length;
      this.#messages++;
      const at = offset + end;
      const onDone = this.#done.add({ part, offset: at });
      await handler.handle({ form, bytes, shard, tag, from: `${name}@${at - bytes.length}`, onDone });
      await this.#saveNowAndThen();
    }
    // What lies between messages, a header for example, is done when what precedes it is.
    if (units.length === 0) this.#done.add({ part, offset: offset + consumed })();
  }

  #leave(part: number, offset: number, tornBytes: number): void {
    if (tornBytes === 0) return;
    this.#refused++;
    const name = partPath(this.#o.path, part);
    this.#o.logger.warn(
      `${name} ends with ${tornBytes} bytes at ${offset} that are no whole message, as a killed collector leaves them`,
    );
  }

  #rewound(part: number, size: number): number {
    const name = partPath(this.#o.path, part);
    this.#o.logger.warn(`${name} has become shorter (${size} bytes): it is read from its beginning`);
    this.#done.add({ part, offset: 0 })();
    return 0;
  }

  async #pause(): Promise<void> {
    await this.#saveNowAndThen();
    await sleep(POLL_MS, this.#closed.signal);
  }

  async #saveNowAndThen(): Promise<void> {
    if (performance.now() - this.#savedAt >= SAVE_MS) await this.#save();
  }

  async #save(): Promise<void> {
    const { end } = this.#done;
    if (this.#saved === undefined || (end.part === this.#saved.part && end.offset === this.#saved.offset))
      return;
    this.#savedAt = performance.now();
    try {
      const tail = await this.#tailAt(end);
      if (tail === undefined) return;
      await saveReadPosition(this.#o.positionPath, { ...end, tail });
      this.#saved = end;
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = `${this.#o.positionPath} cannot be written: ${describeError(error)}`;
      this.#o.logger.warn(this.#trouble);
    }
  }

  /** Hex of the bytes before a place; undefined when the part is gone or shorter. */
  async #tailAt({ part, offset }: Place): Promise<string | undefined> {
    const file = await this.#openPart(part);
    if (file === undefined) return undefined;
    try {
      const length = Math.min(TAIL_BYTES, offset);
      const bytes = await readAt(file, offset - length, length);
      return bytes.length === length ? bytes.toString('hex') : undefined;
    } finally {
      await file.close();
    }
  }
}

/** A buffer of its own with up to `length` bytes. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
