import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { LaneWriter } from '../tunnel.ts';
import type { FileFormat } from './file-format.ts';

/** What a lane needs of its tunnel. */
export interface FileLaneHost {
  /** An empty writer for a new block, and back when its bytes are on disk. */
  borrowBlock(): ByteWriter;
  returnBlock(block: ByteWriter): void;
  /** Counts bytes that are held (I4). */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Whether lanes must wait before they take more. */
  readonly isFull: boolean;
  waitForRoom(): Promise<void>;
  /** Queues a block, or a receipt for all blocks before it. */
  add(item: { block: ByteWriter | undefined; onDone: () => void }): void;
}

/** Blocks of about this size are written by themselves, so that a reader that takes a block at once needs little memory. */
const BLOCK_BYTES = 512 * 1024;

/** One lane of the file tunnel: encodes entries into blocks and hands them over in order. */
export class FileLane implements LaneWriter {
  readonly #format: FileFormat;
  readonly #host: FileLaneHost;
  #block: ByteWriter | undefined;
  /** Length of the block that the host counts already. */
  #heldBytes = 0;
  #pendingBytes = 0;

  constructor(format: FileFormat, host: FileLaneHost) {
    this.#format = format;
    this.#host = host;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  append(header: EntryHeader): Promise<void> | undefined {
    let block = this.#block;
    if (block === undefined) {
      block = this.#host.borrowBlock();
      this.#format.begin(block);
      this.#block = block;
    }
    const entryAt = block.length;
    try {
      this.#format.append(header, block);
    } catch (error) {
      block.length = entryAt;
      throw error;
    }
    const grown = block.length - this.#heldBytes;
    this.#heldBytes = block.length;
    this.#pendingBytes += grown;
    this.#host.hold(grown);
    if (block.length >= BLOCK_BYTES) this.#endBlock();
    return this.#host.isFull ? this.#wait() : undefined;
  }

  flush(onDurable: () => void): void {
    this.#endBlock();
    this.#host.add({ block: undefined, onDone: onDurable });
  }

  /** Waits with nothing kept back: only what is on its way to the disk can make room. */
  async #wait(): Promise<void> {
    this.#endBlock();
    await this.#host.waitForRoom();
  }

  #endBlock(): void {
    const block = this.#block;
    if (block === undefined || this.#heldBytes === 0) return;
    const bytes = this.#heldBytes;
    this.#format.end(block);
    this.#block = undefined;
    this.#heldBytes = 0;
    this.#host.add({
      block,
      onDone: () => {
        this.#pendingBytes -= bytes;
        this.#host.release(bytes);
        this.#host.returnBlock(block);
      },
    });
  }
}
