/** Milliseconds to wait for each entry that comes in a millisecond: a request costs all sides as much as dozens of entries. */
const WAIT_MS_PER_RATE = 2;
/** Longest wait, from 2500 entries a second on: what is added to the latency at worst, and half of it on average. */
const WAIT_MS_MAX = 5;
/** Below this a timer is not worth its while. */
const WAIT_MS_MIN = 1;
/** A reply of so much pays for itself. */
const FULL_BYTES = 64 * 1024;
/** How far the measured rate looks back. */
const RATE_WINDOW_MS = 50;

/**
 * How soon the next reply is asked for.
 *
 * A tailing cursor answers as soon as there is one entry, so that under a steady stream of writes the source, we and the far
 * side would handle a few entries at a time, for the price of a request each. From 500 entries a second on, the next request
 * waits, the longer the faster they come. Below that rate, and while a backlog is read, it goes out at once.
 */
export class ReadPace {
  #entriesPerMs = 0;
  #answeredAtMs = 0;

  /** A reply has come. @returns for how many milliseconds the next request should wait; 0: not at all */
  answered(reply: { entries: number; bytes: number }, nowMs: number): number {
    const elapsedMs = Math.max(nowMs - this.#answeredAtMs, 0.01);
    const weight = Math.min(1, elapsedMs / RATE_WINDOW_MS);
    this.#entriesPerMs += (reply.entries / elapsedMs - this.#entriesPerMs) * weight;
    this.#answeredAtMs = nowMs;
    if (reply.bytes >= FULL_BYTES) return 0;
    const waitMs = Math.min(WAIT_MS_MAX, this.#entriesPerMs * WAIT_MS_PER_RATE);
    return waitMs < WAIT_MS_MIN ? 0 : waitMs;
  }
}
