/** The smallest chunk; sizes are powers of two from here. */
const CHUNK_BYTES_MIN = 16 * 1024;

/** Keeps buffers of used batches for the next ones, by size, up to a bound. */
export class ChunkPool {
  readonly #spareBytesMax: number;
  readonly #spares = new Map<number, Buffer[]>();
  #spareBytes = 0;

  constructor(spareBytesMax: number) {
    this.#spareBytesMax = spareBytesMax;
  }

  /** A buffer of at least `bytes`; what it holds is arbitrary. */
  take(bytes: number): Buffer {
    const size = chunkSize(bytes);
    const spare = this.#spares.get(size)?.pop();
    if (spare === undefined) return Buffer.allocUnsafeSlow(size);
    this.#spareBytes -= size;
    return spare;
  }

  /** Takes a buffer back that nobody reads or writes any more. */
  give(chunk: Buffer): void {
    const size = chunk.length;
    if (size !== chunkSize(size) || this.#spareBytes + size > this.#spareBytesMax) return;
    const spares = this.#spares.get(size);
    if (spares === undefined) this.#spares.set(size, [chunk]);
    else spares.push(chunk);
    this.#spareBytes += size;
  }
}

function chunkSize(bytes: number): number {
  return bytes <= CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : 2 ** Math.ceil(Math.log2(bytes));
}
