import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Lines wait so long for others before they are written together. */
const gatherMs = 200;
/** More than this waits only when the disk hangs or is full; then lines are dropped and counted. */
const pendingBytesMax = 4 * 1024 * 1024;
/** Pause after a failed write, so that a full disk costs nothing. */
const defaultRetryMs = 2000;
/** How long closing waits for a disk that hangs. */
const closeTimeoutMs = 3000;

export interface LogFileOptions {
  readonly path: string;
  /** Size at which a new file is begun; 0: no limit. */
  readonly bytesMax: number;
  /** How many old files are kept. */
  readonly filesMax: number;
  /** Write each line at once. */
  readonly flush: boolean;
  /** Makes the line that says how many lines were lost. */
  readonly lossLine: (lines: number, reason: string) => string;
  readonly now?: () => Date;
  /** For tests. */
  readonly retryMs?: number;
}

/**
 * A log file that is begun anew at each start, each day, and at a size. As in MongoShake, the log of the
 * last start becomes `<file>.1`, `.1` becomes `.2` and so on; the log of a day that is over becomes
 * `<file>.<YYYY-MM-DD>.<001>`. Unlike there, a disk that is full or hangs stops nothing: lines that cannot be
 * written, or that wait beyond a bound, are dropped, and their number is written when the disk is back.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #now: () => Date;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  #day = '';
  #pending: string[] = [];
  #pendingBytes = 0;
  #lost = 0;
  #lostReason = '';
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  private constructor(options: LogFileOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
  }

  /** Puts the last log aside and begins a new one. @throws Error of the file system. */
  static async open(options: LogFileOptions): Promise<LogFile> {
    const file = new LogFile(options);
    await mkdir(dirname(options.path), { recursive: true });
    await shiftNumbered(options.path, options.filesMax);
    await file.#begin();
    return file;
  }

  /** Takes a line, without its newline. Never waits, never throws. */
  write(line: string): void {
    if (this.#pendingBytes > pendingBytesMax) {
      this.#lost += 1;
      this.#lostReason ||= 'the disk is too slow';
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    if (this.#writing !== undefined) return;
    if (this.#options.flush && this.#timer === undefined) this.#startWriting();
    else this.#timer ??= setTimeout(() => this.#startWriting(), gatherMs);
  }

  /** Resolves when the write that is under way, if any, has ended. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Writes what waits and closes the file; gives up on a disk that hangs. */
  async close(): Promise<void> {
    let timeout: NodeJS.Timeout | undefined;
    const givenUp = new Promise<void>((resolve) => {
      timeout = setTimeout(resolve, closeTimeoutMs);
    });
    await Promise.race([this.#finish(), givenUp]);
    clearTimeout(timeout);
  }

  async #finish(): Promise<void> {
    await this.#writing;
    this.#startWriting();
    await this.#writing;
    clearTimeout(this.#timer);
    await this.#handle?.close().catch(() => {});
    this.#handle = undefined;
  }

  #startWriting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#writePending();
  }

  async #writePending(): Promise<void> {
    while (this.#pending.length > 0 || this.#lost > 0) {
      const lines = this.#pending;
      const lost = this.#lost;
      this.#pending = [];
      this.#pendingBytes = 0;
      if (lost > 0) lines.unshift(this.#options.lossLine(lost, this.#lostReason));
      try {
        await this.#writeLines(lines);
        this.#lost -= lost;
        if (this.#lost === 0) this.#lostReason = '';
      } catch (error) {
        this.#lost += lines.length - (lost > 0 ? 1 : 0);
        this.#lostReason = error instanceof Error ? error.message : String(error);
        await this.#handle?.close().catch(() => {});
        this.#handle = undefined;
        this.#timer = setTimeout(() => this.#startWriting(), this.#options.retryMs ?? defaultRetryMs).unref();
        break;
      }
    }
    this.#writing = undefined;
  }

  async #writeLines(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    await this.#rotateIfDue(bytes.length);
    if (this.#handle === undefined) await this.#begin();
    await this.#handle?.appendFile(bytes);
    this.#sizeBytes += bytes.length;
  }

  async #rotateIfDue(comingBytes: number): Promise<void> {
    const { path, bytesMax, filesMax } = this.#options;
    const isFull = bytesMax > 0 && this.#sizeBytes > 0 && this.#sizeBytes + comingBytes > bytesMax;
    if (dayOf(this.#now()) === this.#day && !isFull) return;
    await this.#handle?.close();
    this.#handle = undefined;
    await renameToDay(path, this.#day);
    await dropOldest(path, filesMax);
    await this.#begin();
  }

  async #begin(): Promise<void> {
    this.#handle = await open(this.#options.path, 'a');
    this.#sizeBytes = (await this.#handle.stat()).size;
    this.#day = dayOf(this.#now());
  }
}

/** `YYYY-MM-DD` in the local zone. */
function dayOf(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// file -> file.1 -> file.2 ...; the oldest goes.
async function shiftNumbered(path: string, filesMax: number): Promise<void> {
  if (!(await exists(path))) return;
  let free = 1;
  while (free < filesMax && (await exists(`${path}.${free}`))) free += 1;
  for (let number = free; number > 1; number -= 1) await rename(`${path}.${number - 1}`, `${path}.${number}`);
  await rename(path, `${path}.1`);
}

async function renameToDay(path: string, day: string): Promise<void> {
  for (let number = 1; ; number += 1) {
    const aside = `${path}.${day}.${String(number).padStart(3, '0')}`;
    if (await exists(aside)) continue;
    if (await exists(path)) await rename(path, aside);
    return;
  }
}

// Names of days sort by time.
async function dropOldest(path: string, filesMax: number): Promise<void> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  const dated = names.filter(
    (name) => name.startsWith(prefix) && /^\d{4}-\d\d-\d\d\.\d+$/.test(name.slice(prefix.length)),
  );
  const surplus = dated.toSorted().slice(0, Math.max(0, dated.length - filesMax));
  for (const name of surplus) await rm(join(dirname(path), name), { force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
