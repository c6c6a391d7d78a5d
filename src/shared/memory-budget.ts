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
  /** The part of it that is held in front of those who use `room`. */
  #aheadBytes = 0;
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

  /**
   * Takes bytes that are held until others, who wait for room themselves, have taken what is in them: these do not wait for them.
   * Give them back with `giveAhead`.
   */
  takeAhead(bytes: number): void {
    this.#aheadBytes += bytes;
    this.take(bytes);
  }

  giveAhead(bytes: number): void {
    this.#aheadBytes -= bytes;
    this.give(bytes);
  }

  /** Whether `bytes` more would fit now. */
  hasRoom(bytes: number): boolean {
    return this.#usedBytes === this.#aheadBytes || this.#usedBytes + bytes <= this.limitBytes;
  }

  /** Resolves when `bytes` more fit, or the signal aborts. */
  room(bytes: number, signal: AbortSignal): Promise<void> {
    return this.#until(() => this.hasRoom(bytes), signal);
  }

  /** The same for those who use `takeAhead`. */
  roomAhead(bytes: number, signal: AbortSignal): Promise<void> {
    const fits = (): boolean => this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes;
    return this.#until(fits, signal);
  }

  async #until(fits: () => boolean, signal: AbortSignal): Promise<void> {
    while (!fits() && !signal.aborted) {
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
