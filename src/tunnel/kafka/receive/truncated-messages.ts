import { isIncompleteRawMessage } from '../../../message/is-incomplete-raw-message.ts';
import { RAW_HEADER_BYTES } from '../../../message/raw-message.ts';

const SHARD_AT = 8;
/** Shards are few; more are not what a collector writes. */
const OPEN_MAX = 1024;

interface OpenMessage {
  readonly header: Buffer;
  readonly offset: number;
}

/**
 * Tells which raw records of a partition are only the beginning of a message: a MongoShake collector sends growing prefixes of every
 * batch, each under the header of the whole, before the whole one. Several of its workers may share a partition, so that each
 * shard is followed by itself.
 */
export class TruncatedMessages {
  readonly #open = new Map<number, OpenMessage>();
  readonly #onLost: (offset: number) => void;

  /** @param onLost called with the offset of the last part of a message that never became whole */
  constructor(onLost: (offset: number) => void) {
    this.#onLost = onLost;
  }

  /** Notes a raw record. @returns whether it is only the beginning of a message */
  isBeginning(value: Buffer, offset: number): boolean {
    const isBeginning = isIncompleteRawMessage(value);
    if ((!isBeginning && this.#open.size === 0) || value.length < RAW_HEADER_BYTES) return false;
    const header = value.subarray(0, RAW_HEADER_BYTES);
    const shard = header.readUInt32BE(SHARD_AT);
    const before = this.#open.get(shard);
    if (before !== undefined && !before.header.equals(header)) this.#onLost(before.offset);
    this.#open.delete(shard);
    if (!isBeginning) return false;
    // A copy: a view would hold all that was fetched with it.
    this.#open.set(shard, { header: Buffer.from(header), offset });
    if (this.#open.size > OPEN_MAX) this.#giveUpOldest();
    return true;
  }

  #giveUpOldest(): void {
    for (const [shard, { offset }] of this.#open) {
      this.#open.delete(shard);
      this.#onLost(offset);
      return;
    }
  }
}
