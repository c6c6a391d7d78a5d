import { uptime } from 'node:os';

/** The three clocks of a host, in milliseconds. */
export interface HostClocks {
  /** Time of day; a person or NTP may set it. */
  readonly wallMs: () => number;
  /** Never set; on Linux it stands still while the host is suspended. */
  readonly monotonicMs: () => number;
  /** Never set, goes on while the host is suspended, and costs a system call. */
  readonly bootMs: () => number;
}

const hostClocks: HostClocks = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
};

/** Time of day and monotonic clock part by so much when something has happened. */
const NOTICED_MS = 200;

/**
 * Tells for how long the host has been suspended, which the monotonic clock of Linux does not count. As long as the time of day keeps
 * pace with that, nothing can have happened, and nothing is asked of the system.
 */
export class SleepMeter {
  readonly #clocks: HostClocks;
  readonly #bootAheadMs: number;
  #wallAheadMs: number;
  #sleptMs = 0;

  constructor(clocks: HostClocks = hostClocks) {
    this.#clocks = clocks;
    this.#bootAheadMs = clocks.bootMs() - clocks.monotonicMs();
    this.#wallAheadMs = clocks.wallMs() - clocks.monotonicMs();
  }

  /** Milliseconds of suspension since this meter was made. */
  get sleptMs(): number {
    const { wallMs, monotonicMs, bootMs } = this.#clocks;
    const wallAheadMs = wallMs() - monotonicMs();
    if (Math.abs(wallAheadMs - this.#wallAheadMs) > NOTICED_MS) {
      this.#wallAheadMs = wallAheadMs;
      this.#sleptMs = Math.max(this.#sleptMs, bootMs() - monotonicMs() - this.#bootAheadMs);
    }
    return this.#sleptMs;
  }
}
