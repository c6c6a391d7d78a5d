import { assert } from './assert.ts';

/**
 * The one budget for everything that is buffered (invariant I4): each stage says how many bytes it
 * takes and gives them back; the source asks before it fetches more.
 *
 * A single demand larger than the whole limit is let through when nothing else is held, so that a
 * 16 MB document still passes a small limit.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;
  #peakBytes = 0;
  #waiters: Array<() => void> = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Takes bytes that exist already; never waits. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
  }

  /** Gives bytes back and wakes those who wait for room. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'more memory was given back than taken');
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Whether `bytes` more would fit now. */
  hasRoom(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes;
  }

  /** Resolves when `bytes` more fit, or the signal aborts. */
  async room(bytes: number, signal: AbortSignal): Promise<void> {
    while (!this.hasRoom(bytes) && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        signal.addEventListener('abort', done, { once: true });
        this.#waiters.push(done);
      });
    }
  }
}
