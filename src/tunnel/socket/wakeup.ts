/** Lets one loop sleep until there is something to do. A wake before the sleep is not lost. */
export class Wakeup {
  #woken = false;
  #wake: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /**
   * Waits for a wake since the last wait ended, for `ms` milliseconds, or for the signal. Never rejects.
   * @returns whether the time is over and nothing else happened
   */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#woken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(done, ms);
        this.#wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
    const isTimeOver = !this.#woken && !signal.aborted;
    this.#woken = false;
    return isTimeOver;
  }
}
