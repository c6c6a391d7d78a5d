/** Holds one loop up while it is closed. */
export class Gate {
  #passed: Promise<void> | undefined;
  #open: (() => void) | undefined;

  close(): void {
    this.#passed ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open?.();
    this.#open = undefined;
    this.#passed = undefined;
  }

  /** Resolves when it is open. */
  async passed(): Promise<void> {
    while (this.#passed !== undefined) await this.#passed;
  }
}
