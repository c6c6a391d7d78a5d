import { sleep } from '../shared/sleep.ts';

/** Nothing has come for so long, and everything before was handed over: there is no backlog. */
const QUIET_MS = 50;
/** More than the buffers of two kernels hold: what came before has been handed over. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** Seen waiting for bytes so often, it is not held up: it just has much to say. */
const IDLE_SIGHTS = 20;

/**
 * A connection that messages come in on. A sender that has lost one begins another, and what the old one still holds, in buffers of
 * ours or of the kernel, must not be handled after the first messages of the new one. Whether a silent connection is dead
 * cannot be known; that nothing is left in it can.
 */
export class MessageWay {
  /** Who sends: acks are shared by all connections of one sender. */
  readonly sender: string;
  readonly #ended = new AbortController();
  #bytes = 0;
  #isWaiting = true;

  /** @param sender the host */
  constructor(sender: string) {
    this.sender = sender;
  }

  /** Aborts when it is closed: what was not taken by then is dropped. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
  }

  /** Bytes have come. */
  got(bytes: number): void {
    this.#bytes += bytes;
    this.#isWaiting = false;
  }

  /** All that has come whole has been taken; the next bytes are waited for. */
  waits(): void {
    this.#isWaiting = true;
  }

  /** Resolves when what had come before this call has been taken, or is dropped. */
  async settled(): Promise<void> {
    const end = this.#bytes + BACKLOG_BYTES_MAX;
    let sights = 0;
    while (!this.ended.aborted && this.#bytes < end && sights < IDLE_SIGHTS) {
      const before = this.#bytes;
      const wasWaiting = this.#isWaiting;
      await sleep(QUIET_MS, this.ended);
      if (wasWaiting && this.#isWaiting && this.#bytes === before) return;
      if (this.#isWaiting) sights++;
    }
  }
}
