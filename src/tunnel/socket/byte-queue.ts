/** Bytes of a stream in the order they came, taken off the front in whole pieces. Nothing is reserved for what is only announced. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Bytes that can be taken. */
  get length(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The byte at `index` from the front; undefined when it has not come yet. */
  peek(index: number): number | undefined {
    let at = index;
    for (const chunk of this.#chunks) {
      if (at < chunk.length) return chunk[at];
      at -= chunk.length;
    }
    return undefined;
  }

  /** Takes `count` bytes off, or nothing when there are fewer; a view of what was pushed where it came in one piece. */
  take(count: number): Buffer | undefined {
    if (count > this.#length) return undefined;
    this.#length -= count;
    const [first] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    if (first.length === count) {
      this.#chunks.shift();
      return first;
    }
    return this.#gather(count);
  }

  #gather(count: number): Buffer {
    const whole = Buffer.allocUnsafeSlow(count);
    let filled = 0;
    let used = 0;
    while (filled < count) {
      const chunk = this.#chunks[used];
      const copied = chunk.copy(whole, filled, 0, Math.min(chunk.length, count - filled));
      filled += copied;
      if (copied === chunk.length) used++;
      else this.#chunks[used] = chunk.subarray(copied);
    }
    this.#chunks.splice(0, used);
    return whole;
  }
}
