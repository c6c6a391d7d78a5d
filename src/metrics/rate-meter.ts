const slotMs = 100;
const windowSlots = 10;
/** One slot more than the window: the slot that is being filled is not a whole one yet. */
const slots = windowSlots + 1;

/**
 * How many per second, over the last second, without a timer: counts fall into a ring of 100 ms slots that
 * is cleared as time passes over it. Times are those of one clock, in milliseconds.
 */
export class RateMeter {
  readonly #counts = new Float64Array(slots);
  #slot = 0;

  /** Adds `count` at `nowMs`. For each acknowledgement, not for each entry. */
  add(count: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#counts[this.#slot % slots] += count;
  }

  /** What was added in the ten whole slots before the one that `nowMs` lies in. */
  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const current = this.#slot % slots;
    let sum = 0;
    for (let i = 0; i < slots; i++) if (i !== current) sum += this.#counts[i];
    return sum;
  }

  /** Clears the slots that time has passed over. A clock set back counts into the current slot. */
  #advance(nowMs: number): void {
    const slot = Math.floor(nowMs / slotMs);
    if (slot - this.#slot >= slots) {
      this.#counts.fill(0);
      this.#slot = slot;
    }
    while (this.#slot < slot) {
      this.#slot++;
      this.#counts[this.#slot % slots] = 0;
    }
  }
}
