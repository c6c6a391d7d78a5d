/** What tells one write of the demo from all others: its kind, its document, and the revision an update gives it. */
export interface WriteMark {
  readonly op: 'i' | 'u' | 'd';
  readonly id: string;
  /** 0 but for updates. */
  readonly revision: number;
}

/**
 * Holds every write until its message is seen, so that its size is the lag and what is left at the end is the loss.
 */
export class DeliveryCheck {
  readonly #waiting = new Set<string>();
  written = 0;
  delivered = 0;
  /** Messages of writes that were seen before, or that the demo never made. */
  repeated = 0;

  /** Called before the write, so that its message cannot come first. */
  wrote(mark: WriteMark): void {
    this.#waiting.add(textOf(mark));
    this.written += 1;
  }

  /** The server refused the write. */
  withdrew(mark: WriteMark): void {
    if (this.#waiting.delete(textOf(mark))) this.written -= 1;
  }

  arrived(mark: WriteMark): void {
    if (this.#waiting.delete(textOf(mark))) this.delivered += 1;
    else this.repeated += 1;
  }

  /** Writes whose message has not been seen yet. */
  get missing(): number {
    return this.#waiting.size;
  }

  /** Some of them, for a person to look for. */
  examples(count = 5): string[] {
    return [...this.#waiting].slice(0, count);
  }
}

function textOf({ op, id, revision }: WriteMark): string {
  return `${op} ${id} ${revision}`;
}
