import { sleep } from '../shared/sleep.ts';
import { SleepMeter } from '../shared/sleep-meter.ts';
import { LeaseLostError } from './election-error.ts';
import type { Lease } from './lease.ts';

export interface HeldLeaseOptions {
  readonly term: bigint;
  /** `performance.now()` before the request that won the lease was sent. */
  readonly wonAtMs: number;
  readonly renewEveryMs: number;
  /** Without a renewal for so long the lease counts as lost; shorter than what a follower waits. */
  readonly giveUpAfterMs: number;
  /** Renews in the store. @returns false when somebody else has it now. @throws when the store cannot be reached */
  readonly renew: () => Promise<boolean>;
  /** Tells how long the host was suspended; made before the request that won the lease. */
  readonly sleepMeter?: SleepMeter;
}

/**
 * A lease that renews itself until it is ended or lost.
 *
 * Its time is counted from before a renewal is sent, a follower's from after it has seen it, and it gives up sooner than a
 * follower takes over: so nobody else can hold it while {@link isHeld} is true (I5). Clocks of hosts are not compared. The time in which
 * this host was suspended counts too.
 */
export class HeldLease implements Lease {
  readonly term: bigint;
  readonly #options: HeldLeaseOptions;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #sleepMeter: SleepMeter;
  #renewedAtMs: number;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: HeldLeaseOptions) {
    this.term = options.term;
    this.#options = options;
    this.#sleepMeter = options.sleepMeter ?? new SleepMeter();
    this.#renewedAtMs = options.wonAtMs;
    this.#armDeadline();
    void this.#renewAgainAndAgain();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isHeld(): boolean {
    if (this.#lost.signal.aborted || this.#ended.signal.aborted) return false;
    const ageMs = this.#nowMs - this.#renewedAtMs;
    if (ageMs < this.#options.giveUpAfterMs) return true;
    this.#lose(
      `it could not be renewed for ${Math.round(ageMs)} ms (the election store is away, or this process stood still)`,
    );
    return false;
  }

  /** Renews no more; does not wait for a renewal that hangs. @returns whether it is still held, and may be given back. */
  end(): boolean {
    const held = this.isHeld;
    this.#ended.abort();
    clearTimeout(this.#deadline);
    return held;
  }

  get #nowMs(): number {
    return performance.now() + this.#sleepMeter.sleptMs;
  }

  async #renewAgainAndAgain(): Promise<void> {
    const { renewEveryMs, renew } = this.#options;
    for (;;) {
      await sleep(renewEveryMs, this.#ended.signal);
      if (this.#ended.signal.aborted || !this.isHeld) return;
      const askedAtMs = this.#nowMs;
      try {
        const isOurs = await renew();
        if (this.#ended.signal.aborted || !this.isHeld) return;
        if (!isOurs) {
          this.#lose('another collector has taken over');
          return;
        }
        this.#renewedAtMs = askedAtMs;
        this.#armDeadline();
      } catch {
        // Tried again until the time is over: the store may be electing a primary of its own.
      }
    }
  }

  #armDeadline(): void {
    clearTimeout(this.#deadline);
    const leftMs = this.#options.giveUpAfterMs - (this.#nowMs - this.#renewedAtMs);
    this.#deadline = setTimeout(() => this.isHeld || undefined, Math.max(0, leftMs) + 1);
  }

  #lose(reason: string): void {
    clearTimeout(this.#deadline);
    this.#lost.abort(new LeaseLostError(reason));
    this.#ended.abort();
  }
}
