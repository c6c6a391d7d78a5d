/**
 * Holds a flow to so many units a second. Refills continuously, holds at most one second's worth, and
 * costs two additions per unit when it is not empty.
 */
export class TokenBucket {
  readonly #now: () => number;
  #perSecond = 0;
  #tokens = 0;
  #filledAtMs: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#filledAtMs = now();
  }

  /** Units a second; 0 lets everything through. */
  setRate(perSecond: number): void {
    if (perSecond === this.#perSecond) return;
    this.#perSecond = perSecond;
    this.#tokens = 0;
    this.#filledAtMs = this.#now();
  }

  /** Takes one unit. @returns how many milliseconds to wait before asking again; 0: the unit is yours. */
  take(): number {
    if (this.#perSecond === 0) return 0;
    if (this.#tokens < 1) this.#refill();
    if (this.#tokens < 1) return Math.max(1, ((1 - this.#tokens) / this.#perSecond) * 1000);
    this.#tokens--;
    return 0;
  }

  #refill(): void {
    const nowMs = this.#now();
    const gained = ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAtMs = nowMs;
  }
}
