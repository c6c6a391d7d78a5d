/** Bounds what all connections together hold of messages that have not come whole. */
export class PartialBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The part of one connection. `set` throws when it makes the whole too much; set it to 0 at the end. */
  newShare(): { set: (bytes: number) => void } {
    let share = 0;
    return {
      set: (bytes) => {
        this.#bytes += bytes - share;
        share = bytes;
        if (bytes > 0 && this.#bytes > this.#maxBytes) {
          throw new Error('there are too many messages that have not come whole');
        }
      },
    };
  }
}
