import { GobError } from './gob-error.ts';

const UINT_BYTES_MAX = 8;

/** Reads the primitive values of one gob message, in order; never beyond its end. */
export class GobCursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** An unsigned integer of at most 53 bits. */
  uint(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const value = Number(this.#wide(first));
    if (!Number.isSafeInteger(value)) throw new GobError('a number is too large');
    return value;
  }

  /** An unsigned integer of at most 64 bits. */
  uint64(): bigint {
    const first = this.#byte();
    return first < 0x80 ? BigInt(first) : this.#wide(first);
  }

  /** A signed integer: the lowest bit says that the others are inverted. */
  int64(): bigint {
    const value = this.uint64();
    return (value & 1n) === 1n ? ~(value >> 1n) : value >> 1n;
  }

  int(): number {
    const value = Number(this.int64());
    if (!Number.isSafeInteger(value)) throw new GobError('a number is too large');
    return value;
  }

  /** Moves over a byte string. @returns where it begins; it ends at `at` */
  skipBytes(): number {
    const length = this.uint();
    const start = this.at;
    if (length > this.bytes.length - start) throw new GobError('a length passes the end of its message');
    this.at = start + length;
    return start;
  }

  text(lengthMax: number): string {
    const start = this.skipBytes();
    if (this.at - start > lengthMax) throw new GobError('a name is too long');
    return this.bytes.toString('utf8', start, this.at);
  }

  /**
   * The number of the next field of a struct.
   * @param last that of the field before it, -1 at first
   * @returns undefined after the last field
   */
  nextField(last: number): number | undefined {
    const delta = this.uint();
    return delta === 0 ? undefined : last + delta;
  }

  #byte(): number {
    if (this.isAtEnd) throw new GobError('a message ends early');
    return this.bytes[this.at++];
  }

  /** The rest of an integer whose first byte holds the negated number of bytes that follow. */
  #wide(first: number): bigint {
    const width = 0x100 - first;
    if (width > UINT_BYTES_MAX || width > this.bytes.length - this.at) throw new GobError('a bad number');
    let value = 0n;
    for (let i = 0; i < width; i++) value = (value << 8n) | BigInt(this.bytes[this.at++]);
    return value;
  }
}
