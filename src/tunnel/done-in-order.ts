/** Finds up to where everything is done, of things that are done in any order. */
export class DoneInOrder<T> {
  readonly #open: Array<{ readonly end: T; done: boolean }> = [];
  #end: T;

  /** @param end where everything is done at first */
  constructor(end: T) {
    this.#end = end;
  }

  /** The end of the last thing before which everything is done. */
  get end(): T {
    return this.#end;
  }

  /** Things that are begun and not done. */
  get open(): number {
    return this.#open.length;
  }

  /** Adds the next thing. @returns what to call when it is done */
  add(end: T): () => void {
    const thing = { end, done: false };
    this.#open.push(thing);
    return () => {
      thing.done = true;
      let count = 0;
      while (count < this.#open.length && this.#open[count].done) this.#end = this.#open[count++].end;
      if (count > 0) this.#open.splice(0, count);
    };
  }
}
