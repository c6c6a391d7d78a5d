/** Entries asked for at once, at most: more does not read faster. */
const BATCH_SIZE_MAX = 16_000;
/** The server sends at most about this much, and one document always. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024;
/** Where the replies of an ordinary workload are read fastest. */
const TARGET_BYTES_MAX = 2 * 1024 * 1024;
const TARGET_BYTES_MIN = 256 * 1024;
/** So many replies of the target size should fit in the memory limit, so that reading and sending overlap. */
const REPLIES_IN_LIMIT = 8;
const FIRST_GUESS_ENTRY_BYTES = 1024;

/** How many entries to ask for, so that a reply has about the same size whatever the entries' size is. */
export class BatchSizer {
  readonly targetBytes: number;
  readonly #batchSizeMax: number;
  #entryBytes = FIRST_GUESS_ENTRY_BYTES;

  /** @param options.batchSizeMax never ask for more entries */
  constructor(options: { limitBytes: number; batchSizeMax?: number | undefined }) {
    const share = Math.floor(options.limitBytes / REPLIES_IN_LIMIT);
    this.targetBytes = Math.min(TARGET_BYTES_MAX, Math.max(TARGET_BYTES_MIN, share));
    this.#batchSizeMax = Math.min(BATCH_SIZE_MAX, options.batchSizeMax ?? BATCH_SIZE_MAX);
  }

  get batchSize(): number {
    return Math.min(this.#batchSizeMax, Math.max(1, Math.floor(this.targetBytes / this.#entryBytes)));
  }

  /** What the next reply may weigh. */
  get expectedBytes(): number {
    return Math.min(REPLY_BYTES_MAX, Math.max(this.targetBytes, this.batchSize * this.#entryBytes));
  }

  /**
   * Learns from a reply: a heavy one at once, a light one little. One that was light although it was full is
   * followed step by step, or small entries after large ones would be fetched a few at a time for ever.
   */
  note(bytes: number, count: number): void {
    const average = bytes / count;
    if (count >= this.batchSize && average < this.#entryBytes) {
      this.#entryBytes = Math.max(average, this.#entryBytes / 2);
      return;
    }
    const weight = Math.min(1, bytes / this.targetBytes);
    this.#entryBytes += (average - this.#entryBytes) * weight;
  }
}
