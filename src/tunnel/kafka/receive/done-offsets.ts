/** A message that was handed over. */
interface Handed {
  /** Offset after it, and after all that was passed over behind it. */
  next: number;
  isDone: boolean;
}

/** Handled ones are cut off the front of the list when there are so many. */
const COMPACT_AT = 1024;

/** How far a partition is done: messages are handed over in their order, and done in any. */
export class DoneOffsets {
  #frontier: number;
  #handed: Handed[] = [];
  /** Index of the first that is not done. */
  #first = 0;

  /** @param start offset of the first record that will be read */
  constructor(start: number) {
    this.#frontier = start;
  }

  /** Everything below this offset is done; what may be committed. */
  get frontier(): number {
    return this.#frontier;
  }

  /** Notes a message that is handed over. @returns what is to be called when it is done */
  handOver(offset: number): () => void {
    const handed: Handed = { next: offset + 1, isDone: false };
    this.#handed.push(handed);
    return () => {
      handed.isDone = true;
      this.#advance();
    };
  }

  /** Notes that all before `next` which was not handed over needs nothing to be done. */
  passOver(next: number): void {
    const last = this.#handed.at(-1);
    if (last === undefined) this.#frontier = next;
    else last.next = next;
  }

  #advance(): void {
    for (let head = this.#handed[this.#first]; head?.isDone; head = this.#handed[++this.#first]) {
      this.#frontier = head.next;
    }
    if (this.#first === this.#handed.length) {
      this.#handed = [];
      this.#first = 0;
    } else if (this.#first >= COMPACT_AT) {
      this.#handed.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
