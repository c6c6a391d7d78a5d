import { isSilenceOfMongo } from '../mongo/server-error.ts';

const LONGEST_MS = 30_000;

/**
 * How long a member may be silent in a request before it is given up. Short, so that a dead connection costs seconds; longer each time in a row,
 * so that one that is merely slow is not asked anew for ever.
 */
export class ReplyPatience {
  readonly #shortestMs: number;
  #ms: number;

  constructor(shortestMs: number) {
    this.#shortestMs = this.#ms = shortestMs;
  }

  get ms(): number {
    return this.#ms;
  }

  /** The request failed with this error. */
  failed(error: unknown): void {
    if (isSilenceOfMongo(error)) this.#ms = Math.max(this.#ms, Math.min(2 * this.#ms, LONGEST_MS));
  }

  answered(): void {
    this.#ms = this.#shortestMs;
  }
}
