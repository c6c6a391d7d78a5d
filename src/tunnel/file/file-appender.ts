import { Backoff } from '../../shared/backoff.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { Logger } from '../../shared/logger.ts';
import { sleep } from '../../shared/sleep.ts';
import { codeOf, type NumberedFile } from './numbered-file.ts';

/** A block to write, or only a receipt for what was given before it. */
export interface AppendItem {
  /** The whole block; belongs to the appender until `onDone`. */
  readonly block: ByteWriter | undefined;
  /** Called once the block and all given before it are on disk. Not called after a failure. */
  readonly onDone: () => void;
}

/** Most blocks in one write: Linux takes 1024 buffers in one call. */
const GROUP_BLOCKS_MAX = 512;
/** Most bytes between two syncs, so that receipts keep coming on a slow disk. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2000;

/**
 * Writes blocks to a numbered file in the order given, with one sync for all that has gathered while the last sync
 * ran (group commit). An item is done only when it is on disk (I3). A full disk or any other system error
 * is tried again for as long as it lasts, with the same bytes in the same place.
 */
export class FileAppender {
  readonly #file: NumberedFile;
  readonly #maxFileBytes: number;
  readonly #logger: Logger;
  readonly #backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
  readonly #stop = new AbortController();
  readonly #failed = new AbortController();
  #queue: AppendItem[] = [];
  #work: Promise<void> | undefined;
  #trouble: string | undefined;

  /** @param options.maxFileBytes a part that would grow beyond it is followed by the next one; 0: never */
  constructor(options: { file: NumberedFile; maxFileBytes: number; logger: Logger }) {
    this.#file = options.file;
    this.#maxFileBytes = options.maxFileBytes;
    this.#logger = options.logger;
  }

  /** What is wrong with the file at the moment. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Aborts when something broke that trying again cannot mend. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Queues an item; nothing is queued after a stop or a failure. */
  add(item: AppendItem): void {
    if (this.#stop.signal.aborted || this.#failed.signal.aborted) return;
    this.#queue.push(item);
    this.#work ??= this.#writeQueue();
  }

  /** Stops after the write that is under way; what is still queued is dropped, and never reported done. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    this.#queue = [];
    this.#trouble = undefined;
  }

  async #writeQueue(): Promise<void> {
    // The caller's turn may add more: it goes into the same sync.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0 && !this.#stop.signal.aborted) {
        const group = this.#takeGroup();
        if (!(await this.#commit(group))) return;
        for (const item of group.items) item.onDone();
      }
    } catch (error) {
      this.#failed.abort(error);
    } finally {
      this.#work = undefined;
    }
  }

  /** The next items that go into one part of the file, at least one; `roll` when they need a new part. */
  #takeGroup(): { items: AppendItem[]; blocks: Buffer[]; roll: boolean } {
    const blocks: Buffer[] = [];
    let roll = false;
    let bytes = 0;
    let count = 0;
    for (const { block } of this.#queue) {
      const blockBytes = block?.length ?? 0;
      if (blocks.length > 0) {
        if (blocks.length === GROUP_BLOCKS_MAX || bytes + blockBytes > GROUP_BYTES_MAX) break;
        if (!this.#fits(bytes + blockBytes, roll)) break;
      } else if (this.#file.hasBlocks && !this.#fits(blockBytes, false)) {
        if (count > 0) break;
        roll = true;
      }
      if (block !== undefined) blocks.push(block.view());
      bytes += blockBytes;
      count++;
    }
    return { items: this.#queue.splice(0, count), blocks, roll };
  }

  #fits(bytes: number, inNewPart: boolean): boolean {
    if (this.#maxFileBytes === 0 || bytes === 0) return true;
    const before = inNewPart ? this.#file.headerBytes : this.#file.durableBytes;
    return before + bytes <= this.#maxFileBytes;
  }

  /** Writes a group, however often it takes; false when stopped before that. */
  async #commit(group: { blocks: Buffer[]; roll: boolean }): Promise<boolean> {
    let { roll } = group;
    while (true) {
      try {
        if (roll) await this.#file.roll();
        roll = false;
        if (group.blocks.length > 0 || !this.#file.hasHeader) await this.#file.append(group.blocks);
        this.#noteHealth();
        return true;
      } catch (error) {
        // Anything else than an error of the system is our own bug.
        if (codeOf(error) === '') throw error;
        // The file system's own limit for one file: the next part has room again.
        roll ||= codeOf(error) === 'EFBIG' && this.#file.hasBlocks;
        this.#noteTrouble(error);
      }
      await sleep(this.#backoff.nextMs(), this.#stop.signal);
      if (this.#stop.signal.aborted) return false;
    }
  }

  #noteTrouble(error: unknown): void {
    const trouble = describeTrouble(this.#file.path, error);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#logger.warn(`file tunnel: ${trouble}`);
  }

  #noteHealth(): void {
    this.#backoff.reset();
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#logger.info(`file tunnel: ${this.#file.path} takes entries again`);
  }
}

function describeTrouble(path: string, error: unknown): string {
  const code = codeOf(error);
  const wait = 'nothing is lost, reading waits and writing is tried again';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const what = code === 'ENOSPC' ? 'the disk is full' : 'the disk quota is used up';
    return `${path} cannot be written: ${what} (${code}); ${wait}; free space, for example by moving finished files away`;
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return `${path} cannot be written: no right to write there (${code}); ${wait}; give the collector the right`;
  }
  return `${path} cannot be written (${code}); ${wait}; look at the disk`;
}
