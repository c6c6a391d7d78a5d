/** Documents asked for at once, at most: more does not read faster (see docs/performance). */
const BATCH_SIZE_MAX = 16_000;
/** The server sends at most about this much, and one document always. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024;
/** Where the replies of an ordinary workload are read fastest. */
const TARGET_BYTES_MAX = 4 * 1024 * 1024;
const TARGET_BYTES_MIN = 256 * 1024;
/** So many replies of the target size should fit in the memory limit, so that reading and sending overlap. */
const REPLIES_IN_LIMIT = 8;
const FIRST_GUESS_ENTRY_BYTES = 1024;

/** How many entries to ask for, so that a reply has about the same size whatever the entries' size is. */
export class BatchSizer {
  readonly targetBytes: number;
  readonly #fixed: number | undefined;
  #entryBytes = FIRST_GUESS_ENTRY_BYTES;

  /** @param options.fixed always ask for so many entries */
  constructor(options: { limitBytes: number; fixed?: number | undefined }) {
    const share = Math.floor(options.limitBytes / REPLIES_IN_LIMIT);
    this.targetBytes = Math.min(TARGET_BYTES_MAX, Math.max(TARGET_BYTES_MIN, share));
    this.#fixed = options.fixed;
  }

  get batchSize(): number {
    if (this.#fixed !== undefined) return this.#fixed;
    return Math.min(BATCH_SIZE_MAX, Math.max(1, Math.floor(this.targetBytes / this.#entryBytes)));
  }

  /** What the next reply may weigh. */
  get expectedBytes(): number {
    return Math.min(REPLY_BYTES_MAX, Math.max(this.targetBytes, this.batchSize * this.#entryBytes));
  }

  /** Learns from a reply: a heavy one at once, a light one little. */
  note(bytes: number, count: number): void {
    const weight = Math.min(1, bytes / this.targetBytes);
    this.#entryBytes += (bytes / count - this.#entryBytes) * weight;
  }
}
