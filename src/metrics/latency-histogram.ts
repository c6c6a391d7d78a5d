/** Upper bounds in milliseconds; what is slower falls into a last bucket without a bound. */
const boundsMs = [
  1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000,
] as const;

/**
 * How long entries took, in fixed buckets with weights: one call for a whole batch of entries. (prom-client's
 * own histogram takes one observation for a call.)
 */
export class LatencyHistogram {
  static readonly boundsMs: readonly number[] = boundsMs;
  /** Entries of each bucket, not cumulative; one more than there are bounds. */
  readonly #counts = new Float64Array(boundsMs.length + 1);
  #count = 0;
  #sumMs = 0;

  /** Notes that `count` entries took `ms` each. A negative time (clocks of two hosts) counts as 0. */
  observe(ms: number, count = 1): void {
    const clamped = ms > 0 ? ms : 0;
    let bucket = 0;
    while (bucket < boundsMs.length && clamped > boundsMs[bucket]) bucket++;
    this.#counts[bucket] += count;
    this.#count += count;
    this.#sumMs += clamped * count;
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** For each bound, how many entries took that long or less. */
  cumulative(): number[] {
    let sum = 0;
    return boundsMs.map((_, i) => (sum += this.#counts[i]));
  }

  /**
   * An estimate of the time within which the share `q` (0..1) of all entries was done, linear within a
   * bucket; NaN while there are none, and the last bound for what is slower than it.
   */
  quantileMs(q: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = q * this.#count;
    let below = 0;
    for (let i = 0; i < boundsMs.length; i++) {
      const count = this.#counts[i];
      if (count > 0 && below + count >= rank) {
        const from = i === 0 ? 0 : boundsMs[i - 1];
        return from + (boundsMs[i] - from) * ((rank - below) / count);
      }
      below += count;
    }
    return boundsMs[boundsMs.length - 1];
  }
}
