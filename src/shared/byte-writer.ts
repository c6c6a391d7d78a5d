/**
 * A growing run of output bytes that is reused from message to message.
 *
 * Hot code takes `bytes` and `length` into locals, calls {@link ensure} before it writes, and stores
 * `length` back. `ensure` may replace `bytes`, so locals must be taken again after it.
 */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity = 64 * 1024) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for `extra` more bytes after `length`. */
  ensure(extra: number): void {
    const needed = this.length + extra;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  /** The bytes written so far, as a view: valid until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Appends a copy of `source[start, end)`. */
  append(source: Uint8Array, start = 0, end = source.length): void {
    this.ensure(end - start);
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    this.length += end - start;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
