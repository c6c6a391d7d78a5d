/** Exponential, capped, jittered pauses between tries; `reset` on health. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: { minMs: number; maxMs: number; random?: () => number }) {
    this.#minMs = options.minMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random ?? Math.random;
  }

  /** How many pauses since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next pause: doubles each time, between half and all of its cap. */
  nextMs(): number {
    const cap = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return cap / 2 + (cap / 2) * this.#random();
  }

  reset(): void {
    this.#attempts = 0;
  }
}
