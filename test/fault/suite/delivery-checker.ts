/** A document has at most so many writes: one bit of a number for each. */
export const WRITES_MAX = 31;
const EXAMPLES_MAX = 5;

/** What came of a run. */
export interface DeliveryReport {
  /** Writes that a majority has acknowledged. */
  readonly acknowledged: number;
  /** Messages, repeats included. */
  readonly delivered: number;
  /** Acknowledged writes that never came. */
  readonly lost: number;
  /** Messages that had come before. */
  readonly duplicated: number;
  /** Writes that first came after a later one of their document, and documents whose last message is not their last write. */
  readonly outOfOrder: number;
  /** Messages of writes that were aborted or rolled back. */
  readonly unwanted: number;
  /** Some of the faults, `kind document:write`. */
  readonly examples: readonly string[];
}

/** Bits: the n-th write has been acknowledged, refused, delivered. */
interface DocumentLife {
  acknowledged: number;
  refused: number;
  delivered: number;
  newest: number;
  last: number;
}

/**
 * Compares what was written with what a reader received. Each document is written by one writer, one write after the other, numbered from 0;
 * a write whose fate is unknown may come or not.
 */
export class DeliveryChecker {
  readonly #lives = new Map<string, DocumentLife>();
  readonly #examples: string[] = [];
  #acknowledged = 0;
  #delivered = 0;
  #duplicated = 0;
  #outOfOrder = 0;

  get acknowledgedWrites(): number {
    return this.#acknowledged;
  }

  /** The n-th write of the document will stay. */
  acknowledged(id: string, n: number): void {
    this.#life(id).acknowledged |= bitOf(n);
    this.#acknowledged++;
  }

  /** The n-th write of the document was undone: it must not come. */
  refused(id: string, n: number): void {
    this.#life(id).refused |= bitOf(n);
  }

  /** A message came; call it in the order of the partition. */
  delivered(id: string, n: number): void {
    const life = this.#life(id);
    const bit = bitOf(n);
    this.#delivered++;
    if ((life.delivered & bit) !== 0) {
      this.#duplicated++;
      this.#note('duplicated', id, n);
    } else if (n < life.newest) {
      this.#outOfOrder++;
      this.#note('out of order', id, n);
    }
    life.delivered |= bit;
    life.last = n;
    if (n > life.newest) life.newest = n;
  }

  /** Whether every acknowledged write has come. */
  get isComplete(): boolean {
    for (const life of this.#lives.values()) if ((life.acknowledged & ~life.delivered) !== 0) return false;
    return true;
  }

  /** Call it when nothing more will come. */
  report(): DeliveryReport {
    let lost = 0;
    let unwanted = 0;
    let wrongEnds = 0;
    for (const [id, life] of this.#lives) {
      const missing = life.acknowledged & ~life.delivered;
      const refused = life.refused & life.delivered;
      for (let n = 0; n < WRITES_MAX; n++) {
        if ((missing & bitOf(n)) !== 0) {
          lost++;
          this.#note('lost', id, n);
        }
        if ((refused & bitOf(n)) !== 0) {
          unwanted++;
          this.#note('unwanted', id, n);
        }
      }
      if (life.last < life.newest) {
        wrongEnds++;
        this.#note('ends before', id, life.newest);
      }
    }
    return {
      acknowledged: this.#acknowledged,
      delivered: this.#delivered,
      lost,
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder + wrongEnds,
      unwanted,
      examples: [...this.#examples],
    };
  }

  #life(id: string): DocumentLife {
    let life = this.#lives.get(id);
    if (life === undefined) {
      life = { acknowledged: 0, refused: 0, delivered: 0, newest: -1, last: -1 };
      this.#lives.set(id, life);
    }
    return life;
  }

  #note(kind: string, id: string, n: number): void {
    const seen = this.#examples.filter((example) => example.startsWith(kind)).length;
    if (seen < EXAMPLES_MAX) this.#examples.push(`${kind} ${id}:${n}`);
  }
}

function bitOf(n: number): number {
  if (n < 0 || n >= WRITES_MAX) throw new RangeError(`A document has no write ${n}`);
  return 1 << n;
}
