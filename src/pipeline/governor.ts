import type { Sentinel } from '../config/sentinel.ts';
import type { EntryHeader } from '../oplog/entry-header.ts';
import { sleep } from '../shared/sleep.ts';
import { TokenBucket } from '../shared/token-bucket.ts';

const PAUSE_POLL_MS = 100;
const DELAY_POLL_MS = 500;

/**
 * Slows the flow or stops it as the run-time options say: pause, entries a second, a delay behind the source, an exit
 * point. While none is set {@link isActive} is false and an entry costs one test.
 */
export class Governor {
  readonly #sentinel: Sentinel;
  readonly #targetDelaySeconds: number;
  readonly #bucket = new TokenBucket();
  #isActive = false;
  #hasReachedExit = false;

  /** @param options.targetDelaySeconds `incr_sync.target_delay`; the run-time option goes before it. */
  constructor(options: { sentinel: Sentinel; targetDelaySeconds: number }) {
    this.#sentinel = options.sentinel;
    this.#targetDelaySeconds = options.targetDelaySeconds;
    this.#update();
    options.sentinel.onChange(() => this.#update());
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** Whether an entry beyond the exit point has been met: everything up to it has been handled. */
  get hasReachedExit(): boolean {
    return this.#hasReachedExit;
  }

  get isPaused(): boolean {
    return this.#sentinel.pause;
  }

  /** Waits until the entry may pass. @returns false when it must not: it lies beyond the exit point, or the signal aborted. */
  async admit(header: EntryHeader, signal: AbortSignal): Promise<boolean> {
    if (this.#isBeyondExit(header)) {
      this.#hasReachedExit = true;
      return false;
    }
    while (this.#sentinel.pause && !signal.aborted) await sleep(PAUSE_POLL_MS, signal);
    while (this.#isTooFresh(header) && !signal.aborted) await sleep(DELAY_POLL_MS, signal);
    for (let waitMs = this.#bucket.take(); waitMs > 0 && !signal.aborted; waitMs = this.#bucket.take()) {
      await sleep(waitMs, signal);
    }
    return !signal.aborted;
  }

  get #delaySeconds(): number {
    return this.#sentinel.targetDelay >= 0 ? this.#sentinel.targetDelay : this.#targetDelaySeconds;
  }

  #isBeyondExit(header: EntryHeader): boolean {
    return this.#sentinel.exitPoint >= 0n && header.position > this.#sentinel.exitPoint;
  }

  #isTooFresh(header: EntryHeader): boolean {
    const delaySeconds = this.#delaySeconds;
    return delaySeconds > 0 && header.seconds > Date.now() / 1000 - delaySeconds;
  }

  #update(): void {
    const { pause, tps, exitPoint } = this.#sentinel;
    this.#bucket.setRate(tps);
    this.#isActive = pause || tps > 0 || this.#delaySeconds > 0 || exitPoint >= 0n;
  }
}
