import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../../shared/logger.ts';
import { FileTunnelError } from './file-tunnel-error.ts';
import { listParts, partPath } from './numbered-parts.ts';

/** The part of Node's `FileHandle` that is needed to write, so that tests can put a failing disk in its place. */
export interface OutputFile {
  writev(buffers: Uint8Array[], position: number): Promise<{ bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  stat(): Promise<{ size: number; nlink: number }>;
  close(): Promise<void>;
}

export type OpenOutputFile = (path: string, flags: 'wx' | 'r+') => Promise<OutputFile>;

export interface NumberedFileOptions {
  /** The first file's path; the next ones are called `path.000001`, `path.000002`, … */
  readonly path: string;
  /** What every file begins with. */
  readonly fileHeader: Buffer;
  readonly logger: Logger;
  readonly openFile?: OpenOutputFile | undefined;
}

/**
 * A file that is only ever appended to, in numbered parts. What another process or an earlier run wrote is never
 * touched: writing goes on in the part with the next higher number. `durableBytes` is the end of what is known to be
 * on disk; a write that fails leaves it where it was, and the next one first cuts the file back to it.
 *
 * Used by one caller at a time.
 */
export class NumberedFile {
  readonly #path: string;
  readonly #header: Buffer;
  readonly #logger: Logger;
  readonly #openFile: OpenOutputFile;
  #number = 0;
  #file: OutputFile | undefined;
  #durableBytes = 0;
  /** Bytes beyond `#durableBytes` may have been written, in part or not synced. */
  #torn = false;
  /** The folder does not yet hold the new file's name for certain. */
  #folderToSync = false;

  constructor(options: NumberedFileOptions) {
    this.#path = options.path;
    this.#header = options.fileHeader;
    this.#logger = options.logger;
    this.#openFile = options.openFile ?? ((path, flags) => open(path, flags));
  }

  /** Path of the part that is written now. */
  get path(): string {
    return partPath(this.#path, this.#number);
  }

  /** Size of the current part, counting only what is on disk for certain. */
  get durableBytes(): number {
    return this.#durableBytes;
  }

  get headerBytes(): number {
    return this.#header.length;
  }

  /** Whether the current part's header is on disk. */
  get hasHeader(): boolean {
    return this.#durableBytes >= this.#header.length;
  }

  /** Whether the current part holds more than the header. */
  get hasBlocks(): boolean {
    return this.#durableBytes > this.#header.length;
  }

  /**
   * Opens the part to write: the last one when it holds nothing but the header, else the one after it.
   * @throws FileTunnelError when the path cannot be written
   */
  async open(): Promise<void> {
    try {
      await this.#checkPlace();
      this.#number = (await listParts(this.#path)).at(-1) ?? -1;
      if (this.#number >= 0 && (await this.#lastIsUnused())) {
        this.#file = await this.#openFile(this.path, 'r+');
        this.#durableBytes = 0;
        this.#torn = true;
      } else {
        await this.#openNext();
      }
    } catch (error) {
      throw error instanceof FileTunnelError ? error : openError(this.#path, error);
    }
  }

  /**
   * Writes the buffers at the end and resolves when they are on disk. After an error nothing of them counts, and
   * calling it again with the same bytes continues rightly: readers that follow the file see the same bytes again.
   */
  async append(buffers: readonly Uint8Array[]): Promise<void> {
    const file = await this.#current();
    if (this.#torn) {
      await file.truncate(this.#durableBytes);
      this.#torn = false;
    }
    const whole = this.#durableBytes === 0 ? [this.#header, ...buffers] : buffers;
    this.#torn = true;
    const end = await writeAll(file, whole, this.#durableBytes);
    await file.datasync();
    if (this.#folderToSync) {
      await syncFolder(dirname(this.#path));
      this.#folderToSync = false;
    }
    this.#durableBytes = end;
    this.#torn = false;
  }

  /** Goes on in the part with the next number; what is not durable is cut off the part that ends. */
  async roll(): Promise<void> {
    if (this.#torn) await this.#file?.truncate(this.#durableBytes);
    this.#torn = false;
    await this.#leave();
    this.#logger.info(`file tunnel: writing goes on in ${this.path}`);
  }

  /** Cuts off what is not durable, and closes. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      if (this.#torn && (await file.stat()).size > this.#durableBytes)
        await file.truncate(this.#durableBytes);
    } finally {
      await file.close();
    }
  }

  /**
   * The open part, if it is still ours. When somebody removed, cut or wrote it (a rotating tool, a second collector),
   * writing on would lose or garble entries: it goes on in the next part.
   */
  async #current(): Promise<OutputFile> {
    if (this.#file === undefined) throw new Error(`${this.path} is not open`);
    const { size, nlink } = await this.#file.stat();
    const ours = nlink > 0 && (this.#torn ? size >= this.#durableBytes : size === this.#durableBytes);
    if (!ours) {
      const left = this.path;
      await this.#leave();
      this.#logger.warn(
        `file tunnel: ${left} was removed, cut or written by another process; writing goes on in ${this.path}`,
      );
    }
    return this.#file;
  }

  async #leave(): Promise<void> {
    const done = this.#file;
    await this.#openNext();
    // All that counts in it is synced, so that an error of closing it loses nothing.
    await done?.close().catch(() => undefined);
  }

  async #openNext(): Promise<void> {
    for (let number = this.#number + 1; ; number++) {
      try {
        this.#file = await this.#openFile(partPath(this.#path, number), 'wx');
      } catch (error) {
        if (codeOf(error) === 'EEXIST') continue;
        throw error;
      }
      this.#number = number;
      this.#durableBytes = 0;
      this.#torn = false;
      this.#folderToSync = true;
      return;
    }
  }

  async #checkPlace(): Promise<void> {
    const found = await stat(this.#path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined || found.isFile()) return;
    throw new FileTunnelError({
      message: `tunnel.address ${this.#path} is ${found.isDirectory() ? 'a directory' : 'not a regular file'}`,
      hint: found.isDirectory()
        ? `give the path of a file, for example tunnel.address = ${join(this.#path, 'oplog.data')}`
        : 'give the path of a regular file; to measure without writing anything use tunnel = mock',
    });
  }

  async #lastIsUnused(): Promise<boolean> {
    const reader = await open(this.path, 'r');
    try {
      const { size } = await reader.stat();
      if (size === 0) return true;
      if (size !== this.#header.length) return false;
      const { buffer } = await reader.read(Buffer.alloc(size), 0, size, 0);
      return buffer.equals(this.#header);
    } finally {
      await reader.close();
    }
  }
}

/** Writes everything at `position`, across short writes; returns the offset after it. */
async function writeAll(file: OutputFile, buffers: readonly Uint8Array[], position: number): Promise<number> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at);
    if (bytesWritten === 0) throw new Error(`nothing could be written at byte ${at}`);
    at += bytesWritten;
    rest = without(rest, bytesWritten);
  }
  return at;
}

/** The buffers without their first `count` bytes. */
function without(buffers: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let i = 0;
  while (i < buffers.length && left >= buffers[i].length) left -= buffers[i++].length;
  const rest = buffers.slice(i);
  if (left > 0) rest[0] = rest[0].subarray(left);
  return rest;
}

/** Makes a new name in the folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The system's name of an error, such as `ENOSPC`; empty for errors that are not the system's. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

function openError(path: string, cause: unknown): FileTunnelError {
  const folder = dirname(path);
  const code = codeOf(cause);
  const hints: Record<string, string> = {
    ENOENT: `create the folder ${folder}, or correct tunnel.address`,
    ENOTDIR: `a part of ${folder} is a file: correct tunnel.address`,
    EACCES: `give the user that runs the collector the right to write in ${folder} and to read and write ${path}*`,
    EPERM: `give the user that runs the collector the right to write in ${folder} and to read and write ${path}*`,
    EROFS: `${folder} is mounted read-only: choose another place in tunnel.address`,
    ENAMETOOLONG: 'choose a shorter file name in tunnel.address',
  };
  return new FileTunnelError({
    message: `The file of tunnel.address, ${path}, cannot be opened (${code === '' ? 'unknown error' : code})`,
    hint: hints[code] ?? 'look at the cause, or choose another place in tunnel.address',
    cause,
  });
}
