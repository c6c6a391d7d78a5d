import type { Compressor } from '../../message/compressor.ts';
import { createEntryEncoder, type JsonFormat } from '../../message/create-entry-encoder.ts';
import { ByteWriter } from '../../shared/byte-writer.ts';
import type { Logger } from '../../shared/logger.ts';
import type { MemoryBudget } from '../../shared/memory-budget.ts';
import type { LaneWriter, Tunnel, TunnelTraffic } from '../tunnel.ts';
import { FileAppender } from './file-appender.ts';
import { SequenceFormat, type FileFormat } from './file-format.ts';
import { FileLane, type FileLaneHost } from './file-lane.ts';
import { NumberedFile, type OpenOutputFile } from './numbered-file.ts';
import { RawFileFormat } from './raw-file-format.ts';

export interface FileTunnelOptions {
  /** `tunnel.address`. */
  readonly path: string;
  readonly lanes: number;
  /** `tunnel.message`. */
  readonly message: 'raw' | 'bson' | 'json';
  /** `tunnel.json.format`, for json. */
  readonly jsonFormat: JsonFormat;
  /** `incr_sync.worker.oplog_compressor`, for raw. */
  readonly compressor: Compressor;
  /** `tunnel.file.max_size` in bytes; 0: one file for ever. */
  readonly maxFileBytes: number;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  /** For tests: opens the files that are written. */
  readonly openFile?: OpenOutputFile;
}

/** Most bytes that lanes hold in all while the budget has room. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
/** What they may hold while the rest of the process has used the budget up: without it nothing would move. */
const WINDOW_BYTES_MIN = 512 * 1024;
/** Blocks kept for reuse, and the largest kept. */
const SPARE_BLOCKS_MAX = 16;
const SPARE_BLOCK_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Writes the entries of all lanes into one file, in MongoShake's form of raw messages, as lines of JSON, or as plain
 * BSON documents. See {@link NumberedFile} for which file, {@link FileAppender} for what counts as
 * durable. After a kill the last file may end in half a record: the next run leaves it so and sends the entry
 * again in the next file, since it was never reported durable.
 */
export class FileTunnel implements Tunnel {
  readonly #file: NumberedFile;
  readonly #appender: FileAppender;
  readonly #budget: MemoryBudget;
  readonly #windowBytes: number;
  readonly #lanes: FileLane[];
  readonly #spareBlocks: ByteWriter[] = [];
  #heldBytes = 0;
  #durableBytes = 0;
  readonly #closed = new AbortController();
  #waiters: Array<() => void> = [];

  constructor(options: FileTunnelOptions) {
    const { budget, logger, maxFileBytes } = options;
    this.#budget = budget;
    this.#windowBytes = Math.max(WINDOW_BYTES_MIN, Math.min(WINDOW_BYTES_MAX, budget.limitBytes / 4));
    const formats = Array.from({ length: options.lanes }, (_, lane) => formatOf(options, lane));
    this.#file = new NumberedFile({ ...options, fileHeader: formats[0].fileHeader });
    this.#appender = new FileAppender({ file: this.#file, maxFileBytes, logger });
    this.#appender.failed.addEventListener('abort', () => this.#wakeAll(), { once: true });
    const host = this.#laneHost();
    this.#lanes = formats.map((format) => new FileLane(format, host));
  }

  /** Path of the file that is written now. */
  get path(): string {
    return this.#file.path;
  }

  get failed(): AbortSignal {
    return this.#appender.failed;
  }

  get trouble(): string | undefined {
    return this.#appender.trouble;
  }

  get traffic(): TunnelTraffic {
    return { bytes: this.#durableBytes, retries: 0 };
  }

  /** @throws FileTunnelError when the path cannot be written */
  async open(): Promise<void> {
    await this.#file.open();
    // An empty item brings the file's header to disk before the first entry comes.
    this.#appender.add({ block: undefined, onDone: () => {} });
  }

  lane(index: number): LaneWriter {
    return this.#lanes[index];
  }

  /** @throws the reason of `failed` when the tunnel has failed */
  async drain(signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.failed, this.#closed.signal]);
    if (!over.aborted) {
      await new Promise<void>((resolve) => {
        over.addEventListener('abort', () => resolve(), { once: true });
        this.#appender.add({ block: undefined, onDone: resolve });
      });
    }
    this.failed.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    await this.#appender.stop();
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
    this.#wakeAll();
    await this.#file.close();
  }

  #laneHost(): FileLaneHost {
    const isFull = (): boolean => this.#isFull;
    return {
      borrowBlock: () => this.#spareBlocks.pop() ?? new ByteWriter(),
      returnBlock: (block) => {
        block.length = 0;
        if (this.#spareBlocks.length < SPARE_BLOCKS_MAX && block.bytes.length <= SPARE_BLOCK_BYTES_MAX) {
          this.#spareBlocks.push(block);
        }
      },
      hold: (bytes) => {
        this.#heldBytes += bytes;
        this.#budget.take(bytes);
      },
      release: (bytes) => {
        this.#heldBytes -= bytes;
        this.#durableBytes += bytes;
        this.#budget.give(bytes);
        if (!this.#isFull) this.#wakeAll();
      },
      get isFull() {
        return isFull();
      },
      waitForRoom: () => this.#waitForRoom(),
      add: (item) => this.#appender.add(item),
    };
  }

  get #isFull(): boolean {
    return this.#heldBytes > (this.#budget.hasRoom(0) ? this.#windowBytes : WINDOW_BYTES_MIN);
  }

  /** @throws the reason of `failed` when the tunnel has failed */
  async #waitForRoom(): Promise<void> {
    while (this.#isFull && !this.#closed.signal.aborted) {
      this.failed.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }

  #wakeAll(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

function formatOf(options: FileTunnelOptions, lane: number): FileFormat {
  const { message, jsonFormat, compressor } = options;
  if (message === 'raw') return new RawFileFormat({ lane, compressor });
  return new SequenceFormat(createEntryEncoder({ message, jsonFormat }), message === 'json' ? '\n' : '');
}
